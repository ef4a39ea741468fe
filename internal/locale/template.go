package locale

// template has the words of the template of a file to import.
var template = map[string]text{
	"sheet.customers": {"Customers", "客户"},
	"sheet.notes":     {"Notes", "说明"},

	"example.id":          {"example (delete this row)", "示例（请删除本行）"},
	"example.nickname":    {"Ming", "小明"},
	"example.name":        {"Wang Xiaoming", "王小明"},
	"example.company":     {"Example Ltd.", "示例科技有限公司"},
	"example.description": {"Prefers to be called in the afternoon", "希望下午联系"},
	"example.text":        {"any text", "任意文本"},

	"rules.title": {"How to fill in the sheet {sheet}", "如何填写“{sheet}”工作表"},
	"rules.headings": {"The first row has the headings. Those with * must be there; others may be left out, and the order does not matter. Headings are understood in English and in Chinese. A column without a heading is passed over.",
		"首行为列标题。带 * 的列必须有，其余可以省略，顺序不限；中英文标题都能识别。没有标题的列会被忽略。"},
	"rules.example": {"Delete the example before you upload the file. If it stays, its row is refused, as its ID cannot be one.",
		"上传前请删除示例行；若未删除，该行会因 ID 无效而被拒绝。"},
	"rules.text": {"All cells are typed as text, so that phone numbers stay whole: paste values only. Spaces before and behind a value do not count. Lengths are counted in characters; a Chinese character is one.",
		"所有单元格均为文本格式，以免手机号等被改写；粘贴时请选择“仅粘贴值”。值前后的空格会被去除。长度按字符计算，一个汉字为一个字符。"},
	"rules.separators": {"Several tags, and several options, are parted by ASCII commas (,); the levels of a cascade by /. A date is written with the year first, such as 2026-11-03.",
		"多个标签、多个选项之间用英文逗号（,）分隔；级联选项各级之间用 / 分隔；日期按年、月、日的顺序填写，例如 2026-11-03。"},
	"rules.limits": {"A file has at most {rows} rows below the headings, and at most {bytes} MiB.", "每个文件标题行以下最多 {rows} 行，大小不超过 {bytes} MiB。"},
	"rules.formats": {"Take this file as .xlsx, of which the first visible sheet is read, or save that sheet as .csv: in UTF-8 or GB18030, parted by commas, semicolons or tabs. Files with a password, files with macros and old .xls files are not taken.",
		"可以直接上传本 .xlsx 文件（读取第一个可见的工作表），也可以将该工作表另存为 .csv：UTF-8 或 GB18030 编码，以逗号、分号或制表符分隔。不支持设有密码或含有宏的文件，也不支持旧版 .xls 文件。"},
	"rules.whole": {"A file that cannot be read, is too large, has no rows or lacks a heading is refused as a whole. Then nobody is created.",
		"无法读取、过大、没有数据行或缺少必需标题的文件会被整体拒绝，不会创建任何客户。"},
	"rules.rows": {"Otherwise every row that nothing is wrong with makes a customer. The others are refused one by one, with row, column and reason. They can be downloaded as a file, mended, and uploaded again.",
		"除此之外，没有问题的每一行都会创建客户，有问题的行逐行拒绝，并说明行号、列和原因。被拒绝的行可以下载为文件，修改后重新上传。"},
	"rules.existing": {"An import only adds customers. A row whose customer (the same ID in the same association) exists already is refused, and the customer is not changed. If a customer is in the file twice, the first row counts.",
		"导入只会新增客户。若某行的客户（同一关联下的同一 ID）已存在，该行被拒绝，已有客户不会被修改。文件中同一客户出现多次时，以第一行为准。"},
	"rules.trial": {"A trial tells what each row would do, and creates nobody. An import that was done can be reverted: the customers it created are withdrawn, but for those to whom something has happened since.",
		"可以先“仅校验”，了解每一行的结果而不创建客户。已完成的导入可以撤销：撤回由它创建的客户，但此后有变动的客户予以保留。"},

	"columns.title":    {"Columns", "列"},
	"columns.column":   {"Column", "列"},
	"columns.meaning":  {"Meaning", "含义"},
	"columns.required": {"Required", "必填"},
	"columns.longest":  {"Longest", "最大长度"},
	"columns.values":   {"What can be filled in", "可填内容"},

	"longest.characters": {"{max} characters", "{max} 个字符"},
	"longest.each":       {"{max} characters each", "每个 {max} 个字符"},
	"longest.digits":     {"{max} digits", "{max} 位数字"},

	"meaning.external_id":    {"The user name of the customer in the app. It never changes.", "客户在 APP 中的用户名（环信ID），创建后不可修改。"},
	"meaning.nickname":       {"What the customer is called in lists.", "列表中显示的称呼。"},
	"meaning.name":           {"The real name.", "真实姓名。"},
	"meaning.qq":             {"The number at QQ.", "QQ 号码。"},
	"meaning.phone":          {"The phone number.", "手机号码。"},
	"meaning.wechat_id":      {"The ID at WeChat.", "微信号。"},
	"meaning.email":          {"The e-mail address.", "邮箱地址。"},
	"meaning.company":        {"The company.", "公司名称。"},
	"meaning.description":    {"Whatever else is to be known.", "其他需要说明的信息。"},
	"meaning.tags":           {"The tags that the customer gets.", "为客户添加的标签。"},
	"meaning.association_id": {"The number of the app that the customer uses.", "客户所用 APP 的关联编号。"},

	"meaning.custom": {"A field of your own ({type})", "自定义字段（{type}）"},

	"values.external_id":    {"1 to {max} letters a-z, digits, dots (.), underscores (_) and hyphens (-); capitals count as small letters", "1 至 {max} 个英文字母、数字、点（.）、下划线（_）或连字符（-），不区分大小写"},
	"values.nickname":       {"any text in one line; if it is empty, the ID", "单行文本；留空则为 ID"},
	"values.tags":           {"names of tags, parted by ASCII commas; a tag that does not exist refuses the row, unless the import is to create tags", "标签名称，多个用英文逗号（,）分隔；标签不存在时该行被拒绝，除非导入时选择自动创建标签"},
	"values.association_id": {"one of the numbers below", "下方列出的关联编号之一"},
	"values.text":           {"any text in one line", "单行文本"},
	"values.multiline":      {"any text, also in several lines", "文本，可以换行"},
	"values.number":         {"a number in digits, such as -12.5, without a unit and without thousands separators", "数字，例如 -12.5，不带单位和千分位"},
	"values.date":           {"a date, the year first: 2026-11-03, 2026/11/3 or 2026年11月3日", "日期，按年、月、日的顺序：2026-11-03、2026/11/3 或 2026年11月3日"},
	"values.select":         {"one of the options below", "下方列出的选项之一"},
	"values.multi_select":   {"options below, several parted by ASCII commas", "下方列出的选项，多个用英文逗号（,）分隔"},
	"values.cascade":        {"one of the options below, each level behind a /; it may end above the lowest level", "下方列出的选项之一，各级之间用 / 分隔，可以只填到上级"},

	"associations.title": {"Associations", "关联"},
	"associations.id":    {"Association ID", "关联ID"},
	"associations.name":  {"Name", "名称"},
	"associations.none":  {"No app is connected yet, so nobody can be imported. Connect one first.", "尚未关联任何 APP，暂时无法导入客户。请先添加 APP 关联。"},

	"options.title":  {"Options", "选项"},
	"options.column": {"Column", "列"},
	"options.option": {"Option", "选项"},

	"list.title":  {"Not on the list", "不在列表中"},
	"list.detail": {"What can be filled in here stands on the sheet {sheet}. Keep the value all the same?", "可填内容见“{sheet}”工作表。仍要保留该值吗？"},
}

// Template returns words of the template of a file to import, with {name} filled from the pairs of name and value. Words that there are not, which the
// tests do not let pass, are their name.
func Template(l Language, name string, pairs ...string) string {
	words, ok := template[name]
	if !ok {
		return name
	}
	return fill(words.in(l), paired(pairs))
}
