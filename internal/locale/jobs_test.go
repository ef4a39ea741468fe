package locale_test

import (
	"encoding/json"
	"strings"
	"testing"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/imports"
	"customercenter/domain/settings"
	"customercenter/internal/locale"
	"customercenter/internal/sheet"
)

type args = map[string]any

// logged are arguments as they come back from the log.
func logged(t *testing.T, a args) args {
	t.Helper()
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var back args
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestSentencesOfJobs(t *testing.T) {
	tooLarge := args{"max": exports.MaxBytes, "over": 3_500_000}
	for _, c := range []struct {
		code string
		args args
		en   string
		zh   string
	}{
		{domain.CodeNotEntitled, args{"entitlement": settings.EntitlementImport},
			"Your company has not got the capability import of customers. Ask whoever operates this customer center to grant it.",
			"贵公司尚未开通客户导入功能，请联系本系统的运营方开通。"},
		{domain.CodeNotEntitled, args{"entitlement": settings.EntitlementImport, "tenant": "acme"},
			"Your company has not got the capability import of customers. Ask whoever operates this customer center to grant it to the tenant acme.",
			"贵公司尚未开通客户导入功能，请联系本系统的运营方为租户 acme 开通。"},
		{domain.CodeExportTooLarge, tooLarge,
			"The file would be larger than 50 MiB, by more than 3.33 MiB. Narrow the filter or choose fewer columns, and export again.",
			"文件将超过 50 MiB 的上限，超出 3.33 MiB 以上。请缩小筛选范围或减少列后重新导出。"},
		{domain.CodeExportTooLarge, args{"max": exports.MaxBytes},
			"The file would be larger than 50 MiB. Narrow the filter or choose fewer columns, and export again.",
			"文件将超过 50 MiB 的上限。请缩小筛选范围或减少列后重新导出。"},
		{domain.CodeExportTooLarge, args{"max": exports.MaxBytes, "over": 10},
			"The file would be larger than 50 MiB, by more than 0 MiB. Narrow the filter or choose fewer columns, and export again.",
			"文件将超过 50 MiB 的上限，超出 0 MiB 以上。请缩小筛选范围或减少列后重新导出。"},
		{domain.CodeJobStatus, args{"status": "running"},
			"The job is running, so it cannot do that, or there is nothing to be done. Look at it again, and choose what it can do now.",
			"任务当前为“进行中”，不能执行此操作，或没有可处理的内容。请刷新后选择当前可用的操作。"},
		{domain.CodeHeaderUnknown, args{"column": 28},
			"No column is called as column AB of the first row is. Use a heading of the template, or leave this one empty so that the column is passed over.",
			"首行 AB 列的标题无法识别。请使用模板中的标题；如需忽略该列，请清空其标题。"},
		{domain.CodeHeaderTwice, args{"column": 26}, "Column Z has the heading of a column before it. Delete one of the two.", "Z 列的标题与前面的列重复，请删除其中一列。"},
		{domain.CodeHeaderMissing, args{"column": imports.ColumnAssociation},
			"The first row has no column association ID. Take the headings of the template: ID and association ID must be there.",
			"首行缺少“关联ID”列。请使用模板中的标题，ID 和关联ID 为必需的列。"},
		{string(sheet.NULByte), args{"row": 1_000_001, "column": 3},
			"The file holds the character NUL, which no text has: row 1000001, column C. Save it as .xlsx, and upload that.",
			"文件中含有 NUL 字符：第 1000001 行，C 列，不是有效的文本。请另存为 .xlsx 后上传。"},
		{string(sheet.NULByte), nil,
			"The file holds the character NUL, which no text has. Save it as .xlsx, and upload that.",
			"文件中含有 NUL 字符，不是有效的文本。请另存为 .xlsx 后上传。"},
		{string(sheet.TooManyRows), args{"row": 100_002, "max": imports.MaxRows},
			"The file has too many rows: at most 100,000 are allowed below the headings. Upload it in several parts.",
			"文件行数过多，标题行以下最多 100,000 行。请拆分为多个文件后上传。"},
		{string(sheet.TooLarge), args{"max": imports.MaxBytes}, "The file is too large: at most 20 MiB are allowed. Upload it in several parts.", "文件过大，最大 20 MiB。请拆分为多个文件后上传。"},
	} {
		for _, a := range []args{c.args, logged(t, c.args)} {
			if got := locale.Detail(locale.English, c.code, "file", a); got != c.en {
				t.Errorf("%s with %v:\n got %s\nwant %s", c.code, a, got, c.en)
			}
			if got := locale.Detail(locale.Chinese, c.code, "file", a); got != c.zh {
				t.Errorf("%s with %v:\n got %s\nwant %s", c.code, a, got, c.zh)
			}
		}
	}
}

// Every code with which a row can be refused has a sentence of its own that says what to do.
func TestReasonsOfRows(t *testing.T) {
	type refused struct {
		code string
		args args
	}
	all := []refused{
		{domain.CodeIDRequired, nil}, {domain.CodeIDInvalid, args{"channel": "app"}}, {domain.CodeIDTwice, args{"row": 4}}, {domain.CodeCustomerExists, nil},
		{domain.CodeCustomerErased, nil},
		{domain.CodeTagUnknown, nil}, {domain.CodeAssociationRequired, nil}, {domain.CodeAssociationUnknown, nil}, {domain.CodeAssociationNotApp, nil},
		{domain.CodeValueInvalid, nil},
	}
	for _, f := range customer.Fields() {
		all = append(all, refused{strings.ToUpper(f.Key) + "_TOO_LONG", args{"max": f.Max}})
	}
	for _, rule := range []string{domain.RuleCharacters, domain.RuleTooLong, domain.RuleFormat, domain.RuleOneOf, domain.RuleDigits, domain.RuleTooMany} {
		all = append(all, refused{domain.CodeValueInvalid, args{"rule": rule, "max": 45}})
	}
	seen := map[string]refused{}
	for _, r := range all {
		for _, label := range []string{"{label}[x", ""} { // whatever it is called
			for _, l := range languages {
				got := locale.RowReason(l, r.code, label, logged(t, r.args))
				end := map[locale.Language]string{locale.English: ".", locale.Chinese: "。"}[l]
				if !locale.Known(r.code) || got == r.code || !strings.HasSuffix(got, end) || strings.Contains(got, "?") || strings.ContainsAny(strings.ReplaceAll(got, label, ""), "{}[]") {
					t.Errorf("%s with %v says in %s: %q", r.code, r.args, l.Tag(), got)
				}
				if label == "" {
					continue
				}
				if other, twice := seen[got]; twice && !strings.HasSuffix(r.code, "_TOO_LONG") {
					t.Errorf("%+v says the same as %+v: %q", r, other, got)
				}
				seen[got] = r
			}
		}
	}
	for _, c := range []struct {
		l           locale.Language
		code, label string
		args        args
		want        string
	}{
		{locale.English, "PHONE_TOO_LONG", "Phone", args{"max": 45.0}, "“Phone” has more than 45 characters. Shorten it."},
		{locale.Chinese, "PHONE_TOO_LONG", "手机", args{"max": 45}, "“手机”超过 45 个字符，请缩短。"},
		{locale.Chinese, domain.CodeIDTwice, "ID", args{"row": 1_000_001.0}, "与第 1000001 行是同一客户，请只保留其中一行。"},
		{locale.English, domain.CodeValueInvalid, "", args{"rule": domain.RuleTooMany, "max": 3}, "There is a value to the right of the 3 columns that have headings. Delete it, or give its column a heading."},
		{locale.English, domain.CodeValueInvalid, "Likes", args{"rule": domain.RuleTooMany, "max": field.MaxOptions}, "“Likes” has more than 200 values. Delete some."},
		{locale.English, domain.CodeValueInvalid, "", args{"rule": domain.RuleOneOf},
			"The column has a value that is not among the options, or the field is not in use any more. Use what the notes of a new template list."},
		{locale.English, domain.CodeNotFound, "ID", nil, "There is no such thing here."}, // which no row is refused with
	} {
		if got := locale.RowReason(c.l, c.code, c.label, c.args); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.code, got, c.want)
		}
	}
}

func TestReasonsOfJobs(t *testing.T) {
	for _, l := range languages {
		for _, code := range []string{domain.CodeInternal, domain.CodeFileGone, domain.CodeExportTooLarge, string(sheet.TooManyRows)} {
			if got := locale.Failure(l, code, args{"max": 1, "over": 1}); got == code || strings.Contains(got, "?") {
				t.Errorf("%s says %q", code, got)
			}
		}
		if locale.Failure(l, domain.CodeInternal, nil) == locale.Detail(l, domain.CodeInternal, "", nil) {
			t.Error("of a job is said what is said of a request")
		}
		for _, code := range []string{domain.CodeNotFound, domain.CodeTagUnknown, domain.CodeAlreadyBlacklisted, domain.CodeNotBlacklisted, domain.CodeChangedSince, domain.CodeValidation} {
			if got := locale.BulkReason(l, code); got == code || strings.Contains(got, "?") {
				t.Errorf("%s says %q", code, got)
			}
		}
		if name := locale.RowsSheet(l); name == "" || len([]rune(name)) > 31 || strings.ContainsAny(name, `:\/?*[]'`) {
			t.Errorf("%q is no name for a sheet", name)
		}
	}
}

// The headings of a file are what people see, but for the case of Latin letters.
func TestColumnsAreCalledAsFieldsAre(t *testing.T) {
	for _, c := range imports.Columns(new(field.State)) {
		for _, l := range languages {
			if heading, seen := c.Heading(l == locale.Chinese), locale.Field(l, c.Name); !strings.EqualFold(heading, seen) {
				t.Errorf("the column %s is called %s, the field %s", c.Name, heading, seen)
			}
		}
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 100_000: "100,000", 1_234_567: "1,234,567", -100: "-100", -1000: "-1,000", -123_456: "-123,456"} {
		if got := locale.Count(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
