package customer_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
)

func TestNormalizeExternalID(t *testing.T) {
	for _, c := range []struct {
		channel, in, want string // want is empty if it must be refused
	}{
		{"app", "Visitor.01_x-y", "visitor.01_x-y"},
		{"app", " v1\t", "v1"},
		{"app", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"app", strings.Repeat("a", 65), ""},
		{"app", "", ""},
		{"app", "  ", ""},
		{"app", "a b", ""},
		{"app", "a@b", ""},
		{"app", "\u212a", ""}, // the Kelvin sign is not a k
		{"app", "客户", ""},
		{"app", "a\x00", ""},
		{"app", "a\xff", ""},
		{"web", "ABC", "abc"},
		{"web", "a/b", ""},
		{"wechat", "oGZUI0-aB_9", "oGZUI0-aB_9"},
		{"wechat", strings.Repeat("Z", 128), strings.Repeat("Z", 128)},
		{"wechat", strings.Repeat("Z", 129), ""},
		{"wechat", "a.b", ""},
		{"weibo", "2803301701", "2803301701"},
		{"weibo", "aB1", "aB1"},
		{"weibo", "a-b", ""},
		{"weibo", strings.Repeat("1", 65), ""},
		{"phone", "+86 138-0013-8000", "+8613800138000"},
		{"phone", "010 1234", "0101234"},
		{"phone", "+", ""},
		{"phone", "++86", ""},
		{"phone", "86+1", ""},
		{"phone", " - ", ""},
		{"phone", "138a", ""},
		{"phone", strings.Repeat("1", 33), ""},
		{"api", "订单 42", "订单 42"},
		{"api", "e\u0301", "é"},
		{"api", strings.Repeat("号", 128), strings.Repeat("号", 128)},
		{"api", strings.Repeat("号", 129), ""},
		{"api", "a\nb", ""},
		{"api", "a\u202eb", ""},
		{"api", "a\x00b", ""},
	} {
		got, err := customer.NormalizeExternalID(c.channel, c.in)
		if got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.channel, c.in, got, c.want)
		}
		var refusal *domain.Refusal
		if refused := errors.As(err, &refusal); refused != (c.want == "") || refused && refusal.Code != domain.CodeIDInvalid {
			t.Errorf("%s: %q: error %v", c.channel, c.in, err)
		}
	}
	var refusal *domain.Refusal
	if _, err := customer.NormalizeExternalID("fax", "1"); !errors.As(err, &refusal) || refusal.Location != "channel" {
		t.Errorf("unknown channel: %v", err)
	}
}

// The ids of customers are stored: this value must never change. It was computed apart from this code.
func TestIDIsForEver(t *testing.T) {
	got := customer.ID([]byte("secret"), 1, "app", "visitor")
	if want := uuid.MustParse("c0407e9a-8dc2-58c7-a940-7f96a48b4642"); got != want {
		t.Errorf("ID = %s, want %s", got, want)
	}
	if got.Version() != 5 || got.Variant() != uuid.RFC4122 {
		t.Errorf("ID = %s is version %d", got, got.Version())
	}
	if got, want := customer.Stream(got), "customer-"+got.String(); got != want {
		t.Errorf("Stream = %q, want %q", got, want)
	}
}

func TestIDTellsIdentitiesApart(t *testing.T) {
	secret := []byte("secret")
	base := customer.ID(secret, 1, "wechat", "openid")
	if customer.ID(secret, 1, "wechat", " openid ") != base {
		t.Error("another spelling of the same identity has another id")
	}
	if customer.ID(secret, 1, "app", "A") != customer.ID(secret, 1, "app", "a") {
		t.Error("capitals matter in an app")
	}
	for name, other := range map[string]uuid.UUID{
		"case":        customer.ID(secret, 1, "wechat", "openID"),
		"association": customer.ID(secret, 2, "wechat", "openid"),
		"tenant":      customer.ID([]byte("other"), 1, "wechat", "openid"),
	} {
		if other == base {
			t.Errorf("another %s has the same id", name)
		}
	}
	if customer.ID(secret, 1, "api", "1x") == customer.ID(secret, 11, "api", "x") {
		t.Error("association and external id run into each other")
	}
}

func FuzzNormalizeExternalID(f *testing.F) {
	for _, s := range []string{"", "Visitor", "oGZ_-", "+86 138", "号 1", "e\u0301", "\u212a", "a\x00", "\xff", " a "} {
		for _, c := range append(domain.Channels(), "fax") {
			f.Add(c, s)
		}
	}
	secret := []byte("secret")
	f.Fuzz(func(t *testing.T, channel, s string) {
		normal, err := customer.NormalizeExternalID(channel, s)
		if err != nil {
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) || normal != "" {
				t.Fatalf("%s %q: %q, %v", channel, s, normal, err)
			}
			return
		}
		if n := utf8.RuneCountInString(normal); n < 1 || n > 128 || !utf8.ValidString(normal) || strings.ContainsAny(normal, "\x00\n\r\t") {
			t.Fatalf("%s %q became %q", channel, s, normal)
		}
		if again, err := customer.NormalizeExternalID(channel, normal); err != nil || again != normal {
			t.Fatalf("%s %q became %q, and again %q, %v", channel, s, normal, again, err)
		}
		if customer.ID(secret, 1, channel, s) != customer.ID(secret, 1, channel, normal) {
			t.Fatalf("%s: %q and %q have different ids", channel, s, normal)
		}
	})
}
