package locale

import "strings"

// rowReasons has the sentences about rows of a file that were refused, by their code; of VALUE_INVALID by the rule that is broken, too. {label} is
// the column, in quotation marks.
var rowReasons = map[string]text{
	"ID_REQUIRED": {"{label} is missing. Fill in the user name that the customer has in the app.", "缺少{label}，请填写客户在 APP 中的用户名（环信ID）。"},
	"ID_INVALID": {"{label} is not a user name of an app, which has 1 to 64 letters a-z, digits, dots, underscores and hyphens. Correct it; if this is the example, delete the row.",
		"{label}不是有效的 APP 用户名，只能是 1 至 64 个英文字母、数字、点、下划线或连字符。请改正；如为示例行，请删除。"},
	"ID_DUPLICATE_IN_FILE": {"Row {row} asks for the same customer. Keep one of the two rows.", "与第 {row} 行是同一客户，请只保留其中一行。"},
	"CUSTOMER_EXISTS": {"This customer exists already, and an import changes nobody. Delete the row; what is to be changed can be edited in the customer center.",
		"该客户已存在，导入不会修改已有客户。请删除本行；如需修改，请在客户中心编辑。"},
	"CUSTOMER_ERASED": {"This customer was erased after the file was uploaded, so nothing is taken from the row. If they are to be a customer again, import them in a file that you upload now.",
		"文件上传后，该客户的个人数据已按要求删除，因此本行不再导入。如需重新建立该客户，请另行上传文件导入。"},
	"TAG_UNKNOWN": {"In {label} there is a tag that does not exist. Check the name, create the tag first, or let the import create tags. Several tags are parted by ASCII commas (,).",
		"{label}中有不存在的标签。请检查名称、先创建该标签，或在导入时选择自动创建标签。多个标签以英文逗号（,）分隔。"},
	"ASSOCIATION_REQUIRED": {"{label} is missing. Fill in the number of the app; the notes of the template list them.", "缺少{label}，请填写 APP 的关联编号，编号见模板的说明页。"},
	"ASSOCIATION_UNKNOWN": {"{label} is not the number of an association, or that was removed. Use one that the notes of the template list.",
		"{label}不存在或已解除，请改为模板说明页中列出的编号。"},
	"ASSOCIATION_NOT_APP": {"{label} is the number of another channel's association, and only customers of apps can be imported. Use one that the notes of the template list.",
		"{label}不是 APP 渠道的关联，只能导入 APP 渠道的客户。请改为模板说明页中列出的编号。"},
	"TOO_LONG": {"{label} has more than {max} characters. Shorten it.", "{label}超过 {max} 个字符，请缩短。"},

	"VALUE_INVALID":            {"{label} has a value that this column does not take. Correct it.", "{label}的值不符合要求，请改正。"},
	"VALUE_INVALID.characters": {"{label} has characters that cannot be stored there, such as line breaks or control characters. Delete them.", "{label}含有不允许的字符，例如换行符或控制字符，请删除。"},
	"VALUE_INVALID.too_long":   {"{label} has a value of more than {max} characters. Shorten it.", "{label}中有超过 {max} 个字符的值，请缩短。"},
	"VALUE_INVALID.digits":     {"{label} has more than {max} digits. Shorten the number.", "{label}超过 {max} 位数字，请缩短。"},
	"VALUE_INVALID.format": {"{label} is not written as it must be: a date with the year first, as 2026-11-03, a number in digits, as 12.5, without a unit and without thousands separators.",
		"{label}的格式不正确：日期按年、月、日的顺序写作 2026-11-03，数字写作 12.5，不带单位和千分位。"},
	"VALUE_INVALID.one_of": {"{label} has a value that is not among the options, or the field is not in use any more. Use what the notes of a new template list.",
		"{label}中有不在选项内的值，或该字段已停用。请使用最新模板说明页中列出的选项。"},
	"VALUE_INVALID.too_many": {"{label} has more than {max} values. Delete some.", "{label}的值超过 {max} 个，请删减。"},
	// Of no column: behind the last one.
	"VALUE_INVALID.behind": {"There is a value to the right of the {max} columns that have headings. Delete it, or give its column a heading.",
		"首行只有 {max} 列标题，而本行在其右侧还有内容。请删除，或为该列添加标题。"},
}

// RowReason says why a row of a file was refused, and what to do about it. label is what the column is called; empty if it is no column alone,
// or one that there is no more.
func RowReason(l Language, code, label string, args map[string]any) string {
	key := code
	rule, _ := args["rule"].(string)
	switch {
	case strings.HasSuffix(code, "_TOO_LONG"):
		key = "TOO_LONG"
	case code == "VALUE_INVALID" && rule == "too_many" && label == "":
		key = "VALUE_INVALID.behind"
	case code == "VALUE_INVALID":
		if _, own := rowReasons[code+"."+rule]; own {
			key = code + "." + rule
		}
	}
	sentence, known := rowReasons[key]
	if !known {
		return Detail(l, code, "", args)
	}
	quoted := text{"The column", "该列"}.in(l)
	if label != "" {
		quoted = "“" + label + "”"
	}
	return tell(l, sentence, args, map[string]string{"label": quoted})
}

// failures has sentences about jobs that failed, where that of the code speaks of requests.
var failures = map[string]text{
	"INTERNAL": {"This was tried again and again, and did not succeed. What was done stays. Try again later; if that does not help, tell the number of this job to whoever operates the customer center.",
		"系统多次重试后仍未成功，已完成的部分不受影响。请稍后重新发起；如仍失败，请将此任务的编号告知本系统的运营方。"},
	"SHEET_TOO_MANY_ROWS": {"The file would have more rows than an xlsx may have[: at most {max:count} below the headings]. Export as csv, or narrow the filter.",
		"文件行数将超过 xlsx 的上限[，标题行以下最多 {max:count} 行]。请改用 csv 格式，或缩小筛选范围后重新导出。"},
}

// Failure says why a job failed, and what to do about it.
func Failure(l Language, code string, args map[string]any) string {
	if sentence, own := failures[code]; own {
		return tell(l, sentence, args, nil)
	}
	return Detail(l, code, "", args)
}

// bulkReasons has sentences about customers of whom a bulk action, or its undoing, was refused, where that of the code speaks of something else.
var bulkReasons = map[string]text{
	"NOT_FOUND":  {"There is no such customer, or there is none any more.", "该客户不存在，或已不存在。"},
	"VALIDATION": {"By then the time at which the listing was to end had passed. Choose a later one.", "处理到该客户时，设定的到期时间已过，请选择更晚的时间。"},
}

// BulkReason says why a bulk action, or its undoing, was refused of a customer.
func BulkReason(l Language, code string) string {
	if sentence, own := bulkReasons[code]; own {
		return sentence.in(l)
	}
	return Detail(l, code, "", nil)
}

// RowsSheet is what the sheet of refused rows is called.
func RowsSheet(l Language) string { return text{"Refused rows", "被拒绝的行"}.in(l) }
