package imports_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	"customercenter/domain/field"
	"customercenter/domain/imports"
)

func added(key, label string) field.Added {
	return field.Added{Field: key, Type: field.TypeText, Label: label}
}

// plain is a tenant with three fields of its own that can be imported, one that is disabled and one that was removed.
func plain() *field.State {
	return domaintest.Fold[field.State](
		added("level", "等级"), added("size", "Shoe Size"), added("birthday", "生日"),
		added("old", "Old"), field.Disabled{Field: "old"}, added("gone", "Gone"), field.Removed{Field: "gone"},
		field.Reordered{Order: []string{"birthday", "external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description", "size", "level", "old"}},
	)
}

// confusing is a tenant whose fields are called as other columns are.
func confusing() *field.State {
	return domaintest.Fold[field.State](
		added("labels", "客户标签"), added("tags2", "TAGS"), added("link", "关联ＩＤ"), added("id", "external_id"), // the last is a name, and no label of a system field
		added("line", "行号"), added("why", "Why it was refused"), added("reason", "Reason"), added("row", "row"),
		added("stars", "***"), added("vip", "VIP*"), added("vip2", "*vip"), added("other", "custom.vip"),
	)
}

func TestColumns(t *testing.T) {
	every := []string{"external_id", "nickname", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association_id"}
	for _, c := range []struct {
		fields           *field.State
		names            []string
		chinese, english []string // of the custom fields
	}{
		{new(field.State), nil, nil, nil},
		{plain(), []string{"custom.birthday", "custom.size", "custom.level"}, []string{"生日", "Shoe Size", "等级"}, []string{"生日", "Shoe Size", "等级"}},
		{confusing(),
			[]string{"custom.labels", "custom.tags2", "custom.link", "custom.id", "custom.line", "custom.why", "custom.reason", "custom.row", "custom.stars", "custom.vip", "custom.vip2", "custom.other"},
			[]string{"custom.labels", "custom.tags2", "custom.link", "custom.id", "custom.line", "custom.why", "Reason", "custom.row", "custom.stars", "VIP*", "custom.vip2", "custom.other"},
			[]string{"custom.labels", "custom.tags2", "custom.link", "custom.id", "custom.line", "custom.why", "Reason", "custom.row", "custom.stars", "VIP*", "custom.vip2", "custom.other"}},
	} {
		var names, chinese, english, required []string
		for i, column := range imports.Columns(c.fields) {
			names = append(names, column.Name)
			if column.Required {
				required = append(required, column.Name)
			}
			if i < len(every) {
				if column.Field != nil {
					t.Errorf("%s is said to be a field of the tenant", column.Name)
				}
				continue
			}
			if column.Field == nil || "custom."+column.Field.Key != column.Name {
				t.Errorf("%s has the field %+v", column.Name, column.Field)
			}
			chinese, english = append(chinese, column.Heading(true)), append(english, column.Heading(false))
		}
		if want := append(slices.Clone(every), c.names...); !slices.Equal(names, want) {
			t.Errorf("columns %v, want %v", names, want)
		}
		if !slices.Equal(required, []string{"external_id", "association_id"}) {
			t.Errorf("required are %v", required)
		}
		if !slices.Equal(chinese, c.chinese) || !slices.Equal(english, c.english) {
			t.Errorf("headings %q and %q, want %q and %q", chinese, english, c.chinese, c.english)
		}
	}
}

func TestHeader(t *testing.T) {
	const unknown, twice, missing = domain.CodeHeaderUnknown, domain.CodeHeaderTwice, domain.CodeHeaderMissing
	for _, c := range []struct {
		name    string
		fields  *field.State
		cells   []string
		want    []string
		refused string
		column  any
	}{
		{"Chinese", plain(), []string{"ID", "昵称", "名字", "QQ", "手机", "微信号", "邮箱", "公司", "描述", "客户标签", "关联ID"},
			[]string{"external_id", "nickname", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association_id"}, "", nil},
		{"English", plain(), []string{"ID", "Nickname", "Name", "QQ", "Phone", "WeChat ID", "Email", "Company", "Description", "Tags", "Association ID"},
			[]string{"external_id", "nickname", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association_id"}, "", nil},
		{"names", plain(), []string{"external_id", "nickname", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association_id", "custom.size"},
			[]string{"external_id", "nickname", "name", "qq", "phone", "wechat_id", "email", "company", "description", "tags", "association_id", "custom.size"}, "", nil},
		{"both languages, and names", plain(), []string{"association_id", "ID", "Phone", "邮箱"}, []string{"association_id", "external_id", "phone", "email"}, "", nil},
		{"only what is required", new(field.State), []string{"关联ID", "ID"}, []string{"association_id", "external_id"}, "", nil},
		{"width", plain(), []string{"ＩＤ", "关联ＩＤ", "Ｐｈｏｎｅ"}, []string{"external_id", "association_id", "phone"}, "", nil},
		{"case", plain(), []string{"id", "关联id", "PHONE", "EXTERNAL_ID"}, nil, twice, 4},
		{"case of fields", plain(), []string{"Id", "关联Id", "pHONE", "SHOE SIZE"}, []string{"external_id", "association_id", "phone", "custom.size"}, "", nil},
		{"stars", plain(), []string{"ID*", "* 关联ID", "＊手机 ＊", "**邮箱**"}, []string{"external_id", "association_id", "phone", "email"}, "", nil},
		{"white space", plain(), []string{" ID\t", "\u3000关联ID\u00a0", "\r\n手机"}, []string{"external_id", "association_id", "phone"}, "", nil},
		{"a byte order mark", plain(), []string{"\ufeffID", "关联ID"}, []string{"external_id", "association_id"}, "", nil},
		{"nothing", plain(), nil, nil, missing, "external_id"},
		{"empty headings", plain(), []string{"", "ID", " ", "*", "关联ID", ""}, []string{"", "external_id", "", "", "association_id", ""}, "", nil},
		{"only empty headings", plain(), []string{"", ""}, nil, missing, "external_id"},
		{"fields", plain(), []string{"ID", "关联ID", "生日", "等级*", "shoe size"}, []string{"external_id", "association_id", "custom.birthday", "custom.level", "custom.size"}, "", nil},
		{"a field that is disabled", plain(), []string{"ID", "关联ID", "Old"}, nil, unknown, 3},
		{"the name of a field that is disabled", plain(), []string{"ID", "关联ID", "custom.old"}, nil, unknown, 3},
		{"a field that was removed", plain(), []string{"ID", "Gone", "关联ID"}, nil, unknown, 2},
		{"a field that there never was", plain(), []string{"custom.never", "ID", "关联ID"}, nil, unknown, 1},
		{"unknown", plain(), []string{"ID", "关联ID", "", "星座"}, nil, unknown, 4},
		{"two columns in one", plain(), []string{"ID,关联ID"}, nil, unknown, 1},
		{"twice", plain(), []string{"ID", "手机", "关联ID", "手机"}, nil, twice, 4},
		{"twice in two languages", plain(), []string{"ID", "手机", "关联ID", "Phone"}, nil, twice, 4},
		{"what is unknown comes before what is missing", plain(), []string{"手机", "星座"}, nil, unknown, 2},
		{"no ID", plain(), []string{"手机", "关联ID"}, nil, missing, "external_id"},
		{"no association", plain(), []string{"ID", "手机"}, nil, missing, "association_id"},
		{"what was given back", plain(), []string{"ID", "关联ID", "行号", "拒绝原因"}, []string{"external_id", "association_id", "", ""}, "", nil},
		{"what was given back in English, twice", plain(), []string{"ID", "关联ID", "Row", "Why it was refused", "row", "reason"}, []string{"external_id", "association_id", "", "", "", ""}, "", nil},

		{"fields that are called like other columns", confusing(), []string{"ID", "Tags", "关联ID", "行号", "Why it was refused"},
			[]string{"external_id", "tags", "association_id", "", ""}, "", nil},
		{"the same by their names", confusing(), []string{"external_id", "关联ID", "custom.labels", "custom.tags2", "custom.link", "custom.id", "custom.line", "Custom.Why"},
			[]string{"external_id", "association_id", "custom.labels", "custom.tags2", "custom.link", "custom.id", "custom.line", "custom.why"}, "", nil},
		{"a field called as an added column is by name", confusing(), []string{"ID", "关联ID", "Reason", "Row"}, []string{"external_id", "association_id", "custom.reason", ""}, "", nil},
		{"fields with stars", confusing(), []string{"ID", "关联ID", "VIP", "custom.vip2", "***", "custom.stars"},
			[]string{"external_id", "association_id", "custom.vip", "custom.vip2", "", "custom.stars"}, "", nil},
		{"a field that is called by the name of another", confusing(), []string{"ID", "关联ID", "custom.vip", "custom.other"}, []string{"external_id", "association_id", "custom.vip", "custom.other"}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := imports.Header(c.cells, c.fields)
			if c.refused == "" {
				if err != nil || !slices.Equal(got, c.want) {
					t.Fatalf("read as %q, %v, want %q", got, err, c.want)
				}
				return
			}
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) || got != nil {
				t.Fatalf("read as %q, %v, want it refused with %s", got, err, c.refused)
			}
			if refusal.Code != c.refused || refusal.Location != "file" || !reflect.DeepEqual(refusal.Args, map[string]any{"column": c.column}) {
				t.Errorf("refused with %+v, want %s, column %v", *refusal, c.refused, c.column)
			}
		})
	}
}

// The headings of the template, and of a file that is given back, are understood, whatever the fields are called.
func TestHeadingsAreUnderstood(t *testing.T) {
	for _, fields := range []*field.State{new(field.State), plain(), confusing()} {
		for _, chinese := range []bool{true, false} {
			var cells, want []string
			for _, c := range imports.Columns(fields) {
				heading := c.Heading(chinese)
				if c.Required {
					heading += "*"
				}
				cells, want = append(cells, heading), append(want, c.Name)
			}
			for _, name := range []string{imports.AddedRow, imports.AddedReason} {
				cells, want = append(cells, imports.AddedHeading(name, chinese)), append(want, "")
			}
			if got, err := imports.Header(cells, fields); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q is read as %q, %v", cells, got, err)
			}
		}
	}
}
