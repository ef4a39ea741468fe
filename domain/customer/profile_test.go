package customer_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"customercenter/domain"
	"customercenter/domain/customer"
)

// profileOf is a profile with this value in the field of that key.
func profileOf(t *testing.T, key, value string) customer.Profile {
	t.Helper()
	var p customer.Profile
	switch key {
	case "nickname":
		p.Nickname = value
	case "name":
		p.Name = value
	case "phone":
		p.Phone = value
	case "qq":
		p.QQ = value
	case "wechat_id":
		p.WechatID = value
	case "email":
		p.Email = value
	case "company":
		p.Company = value
	case "description":
		p.Description = value
	default:
		t.Fatalf("no field %q", key)
	}
	return p
}

func TestProfileLimits(t *testing.T) {
	limits := map[string]int{
		"nickname": 256, "name": 45, "phone": 45, "qq": 45, "wechat_id": 45, "email": 255, "company": 45, "description": 200,
	}
	if n := len(customer.Fields()); n != len(limits) {
		t.Fatalf("%d fields, want %d", n, len(limits))
	}
	for _, f := range customer.Fields() {
		max, found := limits[f.Key]
		if !found || f.Max != max {
			t.Errorf("%s takes %d characters, want %d", f.Key, f.Max, max)
		}
		// Characters count after trimming and composing: e with a combining accent is one.
		fits := "  " + strings.Repeat("e\u0301", f.Max) + "\u3000"
		p, err := customer.NormalizeProfile(profileOf(t, f.Key, fits), nil)
		if want := strings.Repeat("é", f.Max); err != nil || p.Value(f.Key) != want {
			t.Errorf("%s of %d characters: %q, %v", f.Key, f.Max, p.Value(f.Key), err)
		}
		for value, code := range map[string]string{
			strings.Repeat("字", f.Max+1): strings.ToUpper(f.Key) + "_TOO_LONG",
			"a\x00b":                     domain.CodeValidation,
			"a\x1bb":                     domain.CodeValidation,
			"a\xffb":                     domain.CodeValidation,
		} {
			_, err := customer.NormalizeProfile(profileOf(t, f.Key, value), nil)
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) || refusal.Code != code || refusal.Location != "profile."+f.Key {
				t.Errorf("%s %q: %v, want %s", f.Key, value, err, code)
			}
		}
		p, err = customer.NormalizeProfile(profileOf(t, f.Key, "a\r\nb"), nil)
		if f.Multiline && (err != nil || p.Value(f.Key) != "a\nb") || !f.Multiline && err == nil {
			t.Errorf("two lines in %s: %q, %v", f.Key, p.Value(f.Key), err)
		}
	}
}

func TestNormalizeProfileLeavesItsArgument(t *testing.T) {
	given := customer.Profile{Custom: map[string]any{"size": " L ", "age": nil}}
	p, err := customer.NormalizeProfile(given, normal)
	if want := (customer.Profile{Custom: map[string]any{"size": "L"}}); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("NormalizeProfile = %+v, %v", p, err)
	}
	if want := map[string]any{"size": " L ", "age": nil}; !reflect.DeepEqual(given.Custom, want) {
		t.Errorf("it changed what it was given to %v", given.Custom)
	}
	if again, err := customer.NormalizeProfile(p, normal); err != nil || !reflect.DeepEqual(again, p) {
		t.Errorf("%+v, and again %+v, %v", p, again, err)
	}
}

func FuzzNormalizeProfile(f *testing.F) {
	f.Add("王小明", "line\r\nline", "e\u0301")
	f.Add(" a ", "\x00", "\xff")
	f.Add(strings.Repeat("x", 257), "\t", "\u2028")
	f.Fuzz(func(t *testing.T, nickname, description, email string) {
		p, err := customer.NormalizeProfile(customer.Profile{Nickname: nickname, Description: description, Email: email}, nil)
		if err != nil {
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Location, "profile.") {
				t.Fatalf("not a refusal of a field: %v", err)
			}
			return
		}
		for _, field := range customer.Fields() {
			v := p.Value(field.Key)
			if utf8.RuneCountInString(v) > field.Max || !utf8.ValidString(v) || strings.Contains(v, "\x00") || strings.TrimSpace(v) != v {
				t.Fatalf("%s = %q is not as stored", field.Key, v)
			}
		}
		if again, err := customer.NormalizeProfile(p, nil); err != nil || !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v, and again %+v, %v", p, again, err)
		}
	})
}
