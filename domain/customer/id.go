package customer

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/text"
)

// Stream is the name of a customer's stream.
func Stream(id uuid.UUID) string { return "customer-" + id.String() }

// idSpace is the UUIDv5 namespace of customers' ids. It never changes.
var idSpace = uuid.MustParse("6f1c8a1e-53c0-5d0e-9b1f-2f0e4b7a9c31")

// ID is the id of the customer with that identity: a UUIDv5 of HMAC-SHA256(secret, association, external id), where
// secret is the tenant's. So two processes that meet the same visitor at once cannot create two customers, and who does
// not know the secret cannot find out whether somebody is a customer by trying external ids.
//
// The external id is brought into its normal form first, so every spelling that NormalizeExternalID accepts gives the
// same id. One that it refuses cannot be created, and its id names nobody.
func ID(secret []byte, association int, channel, externalID string) uuid.UUID {
	if normal, err := NormalizeExternalID(channel, externalID); err == nil {
		externalID = normal
	}
	mac := hmac.New(sha256.New, secret)
	// The number ends at the separator, so no two identities write the same bytes.
	mac.Write(append(strconv.AppendInt(nil, int64(association), 10), 0))
	mac.Write([]byte(externalID))
	return uuid.NewSHA1(idSpace, mac.Sum(nil))
}

// Longest external ids, in characters.
const (
	maxExternalID      = 128 // wechat, api
	maxExternalIDShort = 64  // app, web, weibo
	maxPhoneDigits     = 32
)

// NormalizeExternalID returns the form in which a channel's external id is stored and compared. White space around it
// is dropped everywhere; applying it to its own result changes nothing.
//
//   - app, web: 1–64 of a-z 0-9 . _ -, capitals become small
//   - wechat: 1–128 of A-Z a-z 0-9 _ -, capitals matter
//   - weibo: 1–64 digits and letters, capitals matter
//   - phone: 1–32 digits with an optional leading +; spaces and hyphens between them are dropped
//   - api: 1–128 printable characters, in NFC
//
// Refused: ID_INVALID at external_id; VALIDATION at channel for an unknown one.
func NormalizeExternalID(channel, s string) (string, error) {
	if !domain.IsChannel(channel) {
		return "", domain.Invalid("channel", domain.RuleOneOf)
	}
	normal, ok := normalizeID(channel, strings.TrimSpace(s))
	if !ok {
		return "", domain.Refuse(domain.CodeIDInvalid).At("external_id").With("channel", channel)
	}
	return normal, nil
}

func normalizeID(channel, s string) (string, bool) {
	switch channel {
	case domain.ChannelApp, domain.ChannelWeb:
		s = lowerASCII(s)
		return s, alphabet(s, maxExternalIDShort, func(c byte) bool { return lower(c) || digit(c) || c == '.' || c == '_' || c == '-' })
	case domain.ChannelWechat:
		return s, alphabet(s, maxExternalID, func(c byte) bool { return lower(c) || upper(c) || digit(c) || c == '_' || c == '-' })
	case domain.ChannelWeibo:
		return s, alphabet(s, maxExternalIDShort, func(c byte) bool { return lower(c) || upper(c) || digit(c) })
	case domain.ChannelPhone:
		s = strings.NewReplacer(" ", "", "-", "").Replace(s)
		return s, alphabet(strings.TrimPrefix(s, "+"), maxPhoneDigits, digit)
	default:
		s, ok := text.Line(s)
		return s, ok && s != "" && text.Length(s) <= maxExternalID &&
			strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	}
}

// alphabet reports whether s has 1 to max bytes and all of them are in the alphabet.
func alphabet(s string, max int, in func(byte) bool) bool {
	for i := range len(s) {
		if i >= max || !in(s[i]) {
			return false
		}
	}
	return s != ""
}

// lowerASCII makes only A-Z small. strings.ToLower would also turn the Kelvin sign into a k, and so one person into another.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

func lower(c byte) bool { return 'a' <= c && c <= 'z' }
func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }
