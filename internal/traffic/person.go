package traffic

import (
	"strconv"
	"strings"
)

// person is someone who may write: who they are follows from the seed and their number alone, so nothing about a person has
// to be kept between their sessions.
type person struct {
	association int // index into the associations
	externalID  string
	fullName    string
	nickname    string // may be empty
	latin       bool   // writes English
	profile     profile
	web         visit // of web visitors
}

// profile is what a channel may tell about a person; empty means unknown.
type profile struct{ name, phone, company, email, qq, wechatID, description string }

// visit is what the browser of a web visitor tells.
type visit struct{ ip, region, userAgent, referrer string }

// newPerson makes the n-th person.
func newPerson(seed uint64, n uint64, associations []Association, table []int) person {
	r := newRandom(seed, streamPeople^mix(n))
	p := person{association: pick(r, table)}
	family := surnameTable[r.index(len(surnameTable))]
	name, nickLatin := chineseName(r, &family), ""
	if p.latin = r.chance(60); p.latin {
		nickLatin = pick(r, latinFirst)
		name = nickLatin + " " + pick(r, latinLast)
	}
	channel := associations[p.association].Channel
	p.fullName = name
	p.externalID = externalID(r, channel, family.pinyin, n)
	p.nickname = nickname(r, family, name, nickLatin)
	p.profile = knownProfile(r, channel, name, family.pinyin)
	if channel == "web" {
		p.web = newVisit(r)
	}
	return p
}

// chineseName draws a full name: 84 % have three characters, most others two, a few four. A name of four has a compound
// family name, which it stores in family.
func chineseName(r *random, family *surname) string {
	switch draw := r.below(1000); {
	case draw < 145:
		return family.hanzi + givenName(r, 1)
	case draw < 985:
		return family.hanzi + givenName(r, 2)
	default:
		*family = pick(r, compoundSurnames)
		return family.hanzi + givenName(r, 2)
	}
}

// givenName draws a given name of one or two characters, now and then the same one twice.
func givenName(r *random, characters int) string {
	first := givenCharacter(r)
	switch {
	case characters == 1:
		return string(first)
	case r.chance(30):
		return string(first) + string(first)
	default:
		return string(first) + string(givenCharacter(r))
	}
}

// givenCharacter prefers the front of the list: the lesser of two draws.
func givenCharacter(r *random) rune {
	return givenCharacters[min(r.index(len(givenCharacters)), r.index(len(givenCharacters)))]
}

// nickname draws what a person calls themselves: Chinese, Latin, mixed, with emoji, their own name, or nothing at all.
func nickname(r *random, family surname, name, latin string) string {
	if latin == "" {
		latin = pick(r, nickLatin)
	}
	switch draw := r.below(100); {
	case draw < 6:
		return ""
	case draw < 30:
		return pick(r, nickAdjectives) + "的" + pick(r, nickNouns)
	case draw < 42:
		return pick(r, nickWords)
	case draw < 54:
		return name
	case draw < 66:
		return latin
	case draw < 74:
		return latin + family.hanzi
	case draw < 80:
		return "A_" + pick(r, nickTrade) + family.hanzi + "总" + phone(r)
	case draw < 90:
		return pick(r, nickEmoji) + pick(r, nickNouns) + pick(r, nickEmoji)
	case draw < 95:
		return "小" + family.hanzi + strconv.FormatUint(r.below(100), 10)
	default:
		return pick(r, nickAdjectives) + " " + latin + " " + pick(r, nickEmoji)
	}
}

// profileChances says, in a thousand, how often a channel knows name, phone, company, email, and each of the rest.
var profileChances = map[string][5]uint64{
	"app": {600, 550, 150, 200, 80}, "web": {180, 160, 60, 60, 20}, "wechat": {60, 100, 10, 5, 10},
	"weibo": {30, 20, 10, 5, 150}, "phone": {300, 1000, 100, 20, 10}, "api": {900, 700, 400, 500, 50},
}

// knownProfile draws what the channel knows: an app much, a messenger little.
func knownProfile(r *random, channel, name, pinyin string) profile {
	var p profile
	knows := profileChances[channel]
	if r.chance(knows[0]) {
		p.name = name
	}
	if r.chance(knows[1]) {
		p.phone = phone(r)
	}
	if r.chance(knows[2]) {
		p.company = pick(r, companyCities) + pick(r, companyNames) + pick(r, companyTrades) + pick(r, companyForms)
	}
	if r.chance(knows[3]) {
		p.email = pinyin + strconv.FormatUint(r.below(100_000), 10) + "@example.com"
	}
	if r.chance(knows[4]) {
		p.qq = strconv.FormatInt(r.between(10_000_000, 3_900_000_000), 10)
	}
	if r.chance(knows[4]) {
		p.wechatID = "wx_" + pinyin + strconv.FormatUint(r.below(10_000), 10)
	}
	if r.chance(knows[4]) {
		p.description = pick(r, descriptions)
	}
	return p
}

var descriptions = []string{"老客户，回头率高", "对物流时效要求高", "企业采购，需要开专票", "电话请在工作日打", "喜欢性价比高的商品", "VIP 会员，有专属客服", "常买母婴用品", "Prefers English"}

// phone draws a Chinese mobile number; most people write it without spaces, some do not.
func phone(r *random) string {
	digits := strconv.FormatInt(r.between(100_000_000, 200_000_000), 10)[1:]
	number := pick(r, mobilePrefixes) + digits
	switch draw := r.below(100); {
	case draw < 4:
		return "+86 " + number
	case draw < 8:
		return number[:3] + " " + number[3:7] + " " + number[7:]
	case draw < 10:
		return number[:3] + "-" + number[3:7] + "-" + number[7:]
	default:
		return number
	}
}

// externalID makes the id by which the channel knows the n-th person. Ids of different people differ: each contains n, shuffled.
func externalID(r *random, channel, pinyin string, n uint64) string {
	// n is below 2^32; multiplying by an odd number and adding another permutes the 32-bit numbers.
	shuffled := uint64(uint32(n)*2_654_435_761 + 1_234_567_891)
	number := strconv.FormatUint(shuffled, 36)
	switch channel {
	case "app": // 1 to 64 of a-z 0-9 . _ -
		switch r.below(4) {
		case 0:
			return pinyin + "_" + number
		case 1:
			return pinyin + "." + pick(r, []string{"vip", "user", "shop", "ios", "android"}) + "-" + number
		case 2:
			return "u" + strconv.FormatUint(10_000_000_000+shuffled, 10)
		default:
			return "user-" + number
		}
	case "web":
		return "webim-visitor-" + letters(r, 12, "0123456789abcdefghijklmnopqrstuvwxyz") + strings.Repeat("0", 7-len(number)) + number
	case "wechat": // an openid: 28 characters, the case counts
		return "o" + letters(r, 20, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-") + strings.Repeat("X", 7-len(number)) + number
	case "weibo":
		return strconv.FormatUint(1_000_000_000+shuffled, 10)
	case "phone":
		return "1" + strconv.FormatUint(3_000_000_000+shuffled, 10)
	default:
		return "crm-" + strconv.FormatUint(shuffled, 10)
	}
}

// letters draws a string of that length from the alphabet.
func letters(r *random, length int, alphabet string) string {
	var b [32]byte
	for i := range length {
		b[i] = alphabet[r.index(len(alphabet))]
	}
	return string(b[:length])
}
