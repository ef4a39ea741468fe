package imports_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/customer"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
	"customercenter/domain/imports"
	"customercenter/domain/tag"
)

var (
	vip, fresh = uuid.UUID{15: 1}, uuid.UUID{15: 2}

	catalogues = imports.Catalogues{
		Associations: domaintest.Fold[association.State](
			association.Registered{Association: 1, Channel: domain.ChannelApp, Account: "o#a", Name: "App"},
			association.Registered{Association: 2, Channel: domain.ChannelWechat, Account: "w", Name: "WeChat"},
			association.Registered{Association: 3, Channel: domain.ChannelApp, Account: "o#b", Name: "Old app"}, association.Removed{Association: 3},
			association.Registered{Association: 12, Channel: domain.ChannelApp, Account: "o#c", Name: "Twelfth"},
		),
		Tags: domaintest.Fold[tag.State](tag.Created{Tag: vip, Name: "ＶＩＰ"}, tag.Created{Tag: fresh, Name: "新客户"}),
		Fields: domaintest.Fold[field.State](
			field.Added{Field: "size", Type: field.TypeText, Label: "Size"},
			field.Added{Field: "age", Type: field.TypeNumber, Label: "年龄"},
			field.Added{Field: "birthday", Type: field.TypeDate, Label: "生日"},
			field.Added{Field: "level", Type: field.TypeSelect, Label: "等级", Options: []field.Option{{ID: "o1", Label: "金"}, {ID: "o2", Label: "Silver"}}},
			field.Added{Field: "likes", Type: field.TypeMultiSelect, Label: "Likes", Options: []field.Option{{ID: "o1", Label: "tea"}, {ID: "o2", Label: "咖啡"}}},
			field.Added{Field: "region", Type: field.TypeCascade, Label: "地区", Options: []field.Option{{ID: "o1", Label: "广东"}, {ID: "o2", Label: "深圳", Parent: "o1"}}},
			field.Added{Field: "old", Type: field.TypeText, Label: "Old"}, field.Disabled{Field: "old"},
		),
	}
)

// cells are the cells of a row by their columns.
type cells map[string]string

// sheet is a file with these columns, and one row.
func sheet(c cells, createTags bool) (*imports.State, imports.Row) {
	f := imports.Uploaded{Import: a, Rows: 1, CreateTags: createTags}
	row := imports.Row{Number: 7}
	for _, column := range []string{"external_id", "nickname", "", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association_id",
		"custom.size", "custom.age", "custom.birthday", "custom.level", "custom.likes", "custom.region", "custom.old", "custom.never"} {
		if cell, given := c[column]; given {
			f.Columns, row.Cells = append(f.Columns, column), append(row.Cells, cell)
		}
	}
	return domaintest.Fold[imports.State](f), row
}

// with is the smallest row, and these cells.
func with(more cells) cells {
	c := cells{"external_id": "u1", "association_id": "1"}
	for column, cell := range more {
		c[column] = cell
	}
	return c
}

// outcome is what an import makes of a row.
func outcome(s *imports.State, row imports.Row, already customer.State) (customer.Created, imports.Wanted, *imports.Refused) {
	refused := func(err error) *imports.Refused {
		var refusal *domain.Refusal
		if !errors.As(err, &refusal) {
			panic(err)
		}
		r := imports.Refuse(row, refusal)
		return &r
	}
	wanted, err := s.Read(row, catalogues)
	if err != nil {
		return customer.Created{}, wanted, refused(err)
	}
	events, err := already.Create(wanted.Customer, catalogues.Tags.Known, catalogues.Fields.Normalize)
	if err != nil {
		return customer.Created{}, wanted, refused(err)
	}
	return events[0].(customer.Created), wanted, nil
}

func TestRowsThatMakeCustomers(t *testing.T) {
	made := func(change func(*customer.Created)) customer.Created {
		e := customer.Created{Association: 1, Channel: domain.ChannelApp, ExternalID: "u1", Profile: customer.Profile{Nickname: "u1"}, Via: customer.ViaImport, Import: a, Generation: 1}
		if change != nil {
			change(&e)
		}
		return e
	}
	han, smile, wide := strings.Repeat("汉", 45), strings.Repeat("😀", 45), strings.Repeat("e\u0301", 45)
	family := strings.Repeat("👨‍👩‍👧", 9) // five characters each
	for _, c := range []struct {
		name       string
		cells      cells
		createTags bool
		want       customer.Created
		newTags    []string
	}{
		{"the least", with(nil), false, made(nil), nil},
		{"the least, badly typed", cells{"external_id": "\u3000U1 ", "association_id": " 01\t"}, false, made(nil), nil},
		{"blank cells", with(cells{"nickname": " ", "tags": "\u3000", "custom.level": "\t", "custom.never": " ", "": "whatever"}), false, made(nil), nil},
		{"another association", with(cells{"association_id": "12"}), false, made(func(e *customer.Created) { e.Association = 12 }), nil},
		{"a profile", with(cells{"nickname": " 小明", "name": "王小明", "qq": "10001", "phone": "+86 138-0013-8000", "wechat_id": "w", "email": "m@example.com", "company": "公司", "description": "a\r\nb"}), false,
			made(func(e *customer.Created) {
				e.Profile = customer.Profile{Nickname: "小明", Name: "王小明", QQ: "10001", Phone: "+86 138-0013-8000", WechatID: "w", Email: "m@example.com", Company: "公司", Description: "a\nb"}
			}), nil},
		{"own fields", with(cells{"custom.size": " L ", "custom.age": "４２.0", "custom.birthday": "1999/12/31", "custom.level": "ＳＩＬＶＥＲ", "custom.likes": "咖啡, Tea", "custom.region": "广东/深圳"}), false,
			made(func(e *customer.Created) {
				e.Profile.Custom = map[string]any{"size": "L", "age": "42", "birthday": "1999-12-31", "level": "o2", "likes": []any{"o1", "o2"}, "region": []any{"o1", "o2"}}
			}), nil},
		{"tags", with(cells{"tags": "新客户 , vip,, ＶＩＰ,"}), false, made(func(e *customer.Created) { e.Tags = []uuid.UUID{fresh, vip} }), nil},
		{"tags that there are, where tags may be created", with(cells{"tags": "vip"}), true, made(func(e *customer.Created) { e.Tags = []uuid.UUID{vip} }), nil},
		{"tags that there are not", with(cells{"tags": "vip, Gold ,e\u0301,GOLD,ｇｏｌｄ"}), true, made(func(e *customer.Created) { e.Tags = []uuid.UUID{vip} }), []string{"Gold", "é"}},
		{"the longest tag", with(cells{"tags": strings.Repeat("签", 50)}), true, made(nil), []string{strings.Repeat("签", 50)}},

		{"45 Chinese characters", with(cells{"name": " " + han + "\u3000"}), false, made(func(e *customer.Created) { e.Profile.Name = han }), nil},
		{"45 emoji", with(cells{"company": smile}), false, made(func(e *customer.Created) { e.Profile.Company = smile }), nil},
		{"45 letters of two code points that are one", with(cells{"name": wide}), false, made(func(e *customer.Created) { e.Profile.Name = strings.Repeat("é", 45) }), nil},
		{"9 families of 5 code points", with(cells{"name": family}), false, made(func(e *customer.Created) { e.Profile.Name = family }), nil},
		{"200 characters in lines", with(cells{"description": strings.Repeat("行\r\n", 99) + "行行"}), false,
			made(func(e *customer.Created) { e.Profile.Description = strings.Repeat("行\n", 99) + "行行" }), nil},
		{"the longest of all", with(cells{"external_id": strings.Repeat("u", 64), "nickname": strings.Repeat("昵", 256), "email": strings.Repeat("m", 255), "custom.size": strings.Repeat("大", 256)}), false,
			made(func(e *customer.Created) {
				e.ExternalID = strings.Repeat("u", 64)
				e.Profile = customer.Profile{Nickname: strings.Repeat("昵", 256), Email: strings.Repeat("m", 255), Custom: map[string]any{"size": strings.Repeat("大", 256)}}
			}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, row := sheet(c.cells, c.createTags)
			got, wanted, refused := outcome(s, row, customer.State{})
			if refused != nil {
				t.Fatalf("refused: %+v", *refused)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("made %+v,\nwant %+v", got, c.want)
			}
			if !reflect.DeepEqual(wanted.NewTags, c.newTags) {
				t.Errorf("wants the tags %q, want %q", wanted.NewTags, c.newTags)
			}
		})
	}
}

func TestRowsThatAreRefused(t *testing.T) {
	type args = map[string]any
	long := func(max int) args { return args{"max": max} }
	rule := func(name string) args { return args{"rule": name} }
	const invalid = domain.CodeValueInvalid
	for _, c := range []struct {
		name         string
		cells        cells
		createTags   bool
		column, code string
		args         args
	}{
		{"no ID", with(cells{"external_id": " \u3000"}), false, "external_id", domain.CodeIDRequired, nil},
		{"an ID with a space", with(cells{"external_id": "u 1"}), false, "external_id", domain.CodeIDInvalid, args{"channel": "app"}},
		{"an ID in Chinese", with(cells{"external_id": "小明"}), false, "external_id", domain.CodeIDInvalid, args{"channel": "app"}},
		{"an ID of 65 letters", with(cells{"external_id": strings.Repeat("u", 65)}), false, "external_id", domain.CodeIDInvalid, args{"channel": "app"}},
		{"the examples of the template", with(cells{"external_id": "示例（请删除本行）"}), false, "external_id", domain.CodeIDInvalid, args{"channel": "app"}},
		{"no association", with(cells{"association_id": ""}), false, "association_id", domain.CodeAssociationRequired, nil},
		{"neither", cells{"external_id": "", "association_id": "", "nickname": "小明"}, false, "external_id", domain.CodeIDRequired, nil},
		{"an association that is no number", with(cells{"association_id": "App"}), false, "association_id", domain.CodeAssociationUnknown, nil},
		{"an association with a point", with(cells{"association_id": "1.0"}), false, "association_id", domain.CodeAssociationUnknown, nil},
		{"an association that there is not", with(cells{"association_id": "4"}), false, "association_id", domain.CodeAssociationUnknown, nil},
		{"an association without bounds", with(cells{"association_id": "99999999999999999999"}), false, "association_id", domain.CodeAssociationUnknown, nil},
		{"an association that was removed", with(cells{"association_id": "3"}), false, "association_id", domain.CodeAssociationUnknown, nil},
		{"an association of WeChat", with(cells{"association_id": "2"}), false, "association_id", domain.CodeAssociationNotApp, nil},
		{"an unknown tag", with(cells{"tags": "vip,Gold"}), false, "tags", domain.CodeTagUnknown, nil},
		{"tags with a comma of a Chinese keyboard", with(cells{"tags": "vip，新客户"}), false, "tags", domain.CodeTagUnknown, nil},
		{"a tag of 51 characters", with(cells{"tags": "vip," + strings.Repeat("签", 51)}), true, "tags", invalid, args{"rule": domain.RuleTooLong, "max": 50}},
		{"a tag with a line break", with(cells{"tags": "a\nb"}), true, "tags", invalid, rule(domain.RuleCharacters)},

		{"46 Chinese characters", with(cells{"name": strings.Repeat("汉", 46)}), false, "name", "NAME_TOO_LONG", long(45)},
		{"46 emoji", with(cells{"company": strings.Repeat("😀", 46)}), false, "company", "COMPANY_TOO_LONG", long(45)},
		{"46 letters of two code points that are one", with(cells{"qq": strings.Repeat("e\u0301", 46)}), false, "qq", "QQ_TOO_LONG", long(45)},
		{"10 families of 5 code points", with(cells{"name": strings.Repeat("👨‍👩‍👧", 10)}), false, "name", "NAME_TOO_LONG", long(45)},
		{"a nickname of 257 characters", with(cells{"nickname": strings.Repeat("昵", 257)}), false, "nickname", "NICKNAME_TOO_LONG", long(256)},
		{"a phone number of 46 digits", with(cells{"phone": strings.Repeat("1", 46)}), false, "phone", "PHONE_TOO_LONG", long(45)},
		{"a WeChat ID of 46 letters", with(cells{"wechat_id": strings.Repeat("w", 46)}), false, "wechat_id", "WECHAT_ID_TOO_LONG", long(45)},
		{"an address of 256 letters", with(cells{"email": strings.Repeat("m", 256)}), false, "email", "EMAIL_TOO_LONG", long(255)},
		{"a description of 201 characters", with(cells{"description": strings.Repeat("描", 201)}), false, "description", "DESCRIPTION_TOO_LONG", long(200)},
		{"a name of two lines", with(cells{"name": "王\n小明"}), false, "name", invalid, rule(domain.RuleCharacters)},
		{"what is not text", with(cells{"name": "\xff"}), false, "name", invalid, rule(domain.RuleCharacters)},

		{"a text of 257 characters", with(cells{"custom.size": strings.Repeat("大", 257)}), false, "custom.size", invalid, args{"rule": domain.RuleTooLong, "max": 256}},
		{"a number with a unit", with(cells{"custom.age": "42岁"}), false, "custom.age", invalid, rule(domain.RuleFormat)},
		{"a number of 17 digits", with(cells{"custom.age": "12345678901234567"}), false, "custom.age", invalid, args{"rule": domain.RuleDigits, "max": 16}},
		{"a date with the month first", with(cells{"custom.birthday": "12/31/1999"}), false, "custom.birthday", invalid, rule(domain.RuleFormat)},
		{"a day that there is not", with(cells{"custom.birthday": "2026-02-30"}), false, "custom.birthday", invalid, rule(domain.RuleFormat)},
		{"an unknown option", with(cells{"custom.level": "gold"}), false, "custom.level", invalid, rule(domain.RuleOneOf)},
		{"an unknown option among others", with(cells{"custom.likes": "tea,milk"}), false, "custom.likes", invalid, rule(domain.RuleOneOf)},
		{"an option below another", with(cells{"custom.region": "深圳"}), false, "custom.region", invalid, rule(domain.RuleOneOf)},
		{"a field that was disabled since", with(cells{"custom.old": "x"}), false, "custom.old", invalid, rule(domain.RuleOneOf)},
		{"a field that was removed since", with(cells{"custom.never": "x"}), false, "custom.never", invalid, rule(domain.RuleOneOf)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, row := sheet(c.cells, c.createTags)
			_, _, refused := outcome(s, row, customer.State{})
			want := imports.Refused{Row: 7, Column: c.column, Code: c.code, Args: c.args}
			if refused == nil || !reflect.DeepEqual(*refused, want) {
				t.Errorf("became %+v, want %+v", refused, want)
			}
		})
	}
	t.Run("a customer", func(t *testing.T) {
		s, row := sheet(with(cells{"name": strings.Repeat("汉", 46)}), false)
		_, _, refused := outcome(s, row, customer.State{Exists: true})
		if want := (imports.Refused{Row: 7, Column: "external_id", Code: domain.CodeCustomerExists}); refused == nil || !reflect.DeepEqual(*refused, want) {
			t.Errorf("became %+v, want %+v", refused, want)
		}
	})
	t.Run("of whom was erased", func(t *testing.T) {
		row := imports.Row{Number: 7, Cells: []string{}, Erased: true}
		_, _, refused := outcome(domaintest.Fold[imports.State](imports.Uploaded{Columns: []string{"external_id"}}), row, customer.State{})
		if want := (imports.Refused{Row: 7, Column: "external_id", Code: domain.CodeCustomerErased}); refused == nil || !reflect.DeepEqual(*refused, want) {
			t.Errorf("became %+v, want %+v", refused, want)
		}
	})
	t.Run("values right of the header", func(t *testing.T) {
		s, row := sheet(with(nil), false)
		row.Cells = append(row.Cells, " ", "")
		if _, _, refused := outcome(s, row, customer.State{}); refused != nil {
			t.Errorf("blank ones are refused: %+v", refused)
		}
		row.Cells = append(row.Cells, "x")
		want := imports.Refused{Row: 7, Code: invalid, Args: args{"rule": domain.RuleTooMany, "max": 2}}
		if _, _, refused := outcome(s, row, customer.State{}); refused == nil || !reflect.DeepEqual(*refused, want) {
			t.Errorf("became %+v, want %+v", refused, want)
		}
	})
	t.Run("a short row", func(t *testing.T) {
		s, row := sheet(with(nil), false)
		row.Cells = row.Cells[:1]
		want := imports.Refused{Row: 7, Column: "association_id", Code: domain.CodeAssociationRequired}
		if _, _, refused := outcome(s, row, customer.State{}); refused == nil || !reflect.DeepEqual(*refused, want) {
			t.Errorf("became %+v, want %+v", refused, want)
		}
	})
}

func TestTwice(t *testing.T) {
	got := imports.Twice(imports.Row{Number: 9}, 4)
	if want := (imports.Refused{Row: 9, Column: "external_id", Code: domain.CodeIDTwice, Args: map[string]any{"row": 4}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		columns, cells []string
		association    int
		id             string
	}{
		{[]string{"external_id", "association_id"}, []string{" U1", " 12 "}, 12, " U1"},
		{[]string{"association_id", "", "external_id"}, []string{"1", "x", "u1", "more"}, 1, "u1"},
		{[]string{"external_id", "association_id"}, []string{"u1"}, 0, "u1"},
		{[]string{"external_id", "association_id"}, nil, 0, ""},
		{[]string{"external_id", "association_id"}, []string{"u1", "App"}, 0, "u1"},
		{[]string{"external_id", "association_id"}, []string{"u1", ""}, 0, "u1"},
	} {
		s := domaintest.Fold[imports.State](imports.Uploaded{Columns: c.columns})
		if association, id := s.Identity(imports.Row{Cells: c.cells}); association != c.association || id != c.id {
			t.Errorf("%q is %d, %q", c.cells, association, id)
		}
	}
}
