package filter

// words are one thing in the two languages that people read.
type words struct{ en, zh string }

func (w words) in(chinese bool) string {
	if chinese {
		return w.zh
	}
	return w.en
}

// labels are what people call the fields, as a sentence begins with them.
var labels = map[string]words{
	"external_id": {"ID", "客户ID"},
	"nickname":    {"nickname", "昵称"},
	"name":        {"name", "名字"},
	"phone":       {"phone", "手机"},
	"qq":          {"QQ", "QQ"},
	"wechat_id":   {"WeChat ID", "微信号"},
	"email":       {"email", "邮箱"},
	"company":     {"company", "公司"},
	"description": {"description", "描述"},
	AnyText:       {"nickname, name, ID or phone", "昵称、名字、客户ID或手机"},

	"session_count":    {"number of sessions", "会话数"},
	"message_count":    {"number of messages", "消息数"},
	"suppressed_count": {"number of suppressed messages", "被拦截消息数"},
	"rating_avg":       {"average rating", "平均满意度"},
	"rating_last":      {"last rating", "最近一次满意度"},

	"created_at":       {"created", "创建时间"},
	"updated_at":       {"updated", "更新时间"},
	"first_session_at": {"first session", "首次会话时间"},
	"last_session_at":  {"last session", "最近会话时间"},
	"last_message_at":  {"last message", "最近消息时间"},
	"blacklisted_at":   {"put on the blacklist", "加入黑名单时间"},

	"channel":     {"channel", "渠道"},
	"association": {"association", "关联"},
	"created_via": {"created by", "创建方式"},
	"last_agent":  {"last agent", "最近服务客服"},

	"tags":   {"tags", "标签"},
	"groups": {"groups", "分组"},

	"blacklisted":  {"on the blacklist", "在黑名单中"},
	"session_open": {"session open", "有未结束的会话"},
	"imported":     {"imported", "由导入创建"},
	"ever_served":  {"ever served", "接受过服务"},
}

// values are what people call the values of choices that every tenant has, by field and value.
var values = map[string]words{
	"channel.app":    {"app", "APP"},
	"channel.web":    {"web", "网页"},
	"channel.wechat": {"WeChat", "微信"},
	"channel.weibo":  {"Weibo", "微博"},
	"channel.phone":  {"phone", "电话"},
	"channel.api":    {"API", "API"},

	"created_via.inbound": {"reaching out", "主动来访"},
	"created_via.import":  {"import", "导入"},
	"created_via.api":     {"hand or API", "手动或接口添加"},
}

var periods = map[string]words{
	"today":      {"today", "今天"},
	"yesterday":  {"yesterday", "昨天"},
	"this_week":  {"this week", "本周"},
	"last_week":  {"last week", "上周"},
	"this_month": {"this month", "本月"},
	"last_month": {"last month", "上月"},
}

// units are the units of a length; in English, of one.
var units = map[string]words{
	"days":    {"day", "天"},
	"hours":   {"hour", "小时"},
	"minutes": {"minute", "分钟"},
}

// answers are the conditions on yes or no, for yes and for no.
var answers = map[string][2]words{
	"blacklisted":  {{"is on the blacklist", "在黑名单中"}, {"is not on the blacklist", "不在黑名单中"}},
	"session_open": {{"has an unfinished session", "有未结束的会话"}, {"has no unfinished session", "没有未结束的会话"}},
	"imported":     {{"was imported", "由导入创建"}, {"was not imported", "不是由导入创建"}},
	"ever_served":  {{"was served by an agent", "接受过客服服务"}, {"was never served by an agent", "从未接受过客服服务"}},
}

// sentences are the conditions by kind and operator: {field}, {value}, and of two values {from} and {to}.
var sentences = map[Kind]map[Op]words{
	Text: {
		Eq:          {"{field} is {value}", "{field}等于{value}"},
		Ne:          {"{field} is not {value}", "{field}不等于{value}"},
		Contains:    {"{field} contains {value}", "{field}包含{value}"},
		NotContains: {"{field} does not contain {value}", "{field}不包含{value}"},
		StartsWith:  {"{field} starts with {value}", "{field}以{value}开头"},
		In:          {"{field} is one of {value}", "{field}为{value}之一"},
	},
	Number: {
		Eq:      {"{field} is {value}", "{field}等于 {value}"},
		Ne:      {"{field} is not {value}", "{field}不等于 {value}"},
		Lt:      {"{field} is less than {value}", "{field}小于 {value}"},
		Lte:     {"{field} is at most {value}", "{field}不超过 {value}"},
		Gt:      {"{field} is more than {value}", "{field}大于 {value}"},
		Gte:     {"{field} is at least {value}", "{field}不少于 {value}"},
		Between: {"{field} is from {from} to {to}", "{field}在 {from} 到 {to} 之间"},
	},
	Time: {
		Before:    {"{field} before {to}", "{field}早于 {to}"},
		After:     {"{field} at {from} or later", "{field}不早于 {from}"},
		Between:   {"{field} from {from} until {to}", "{field}从 {from} 起、早于 {to}"},
		In:        {"{field} {value}", "{field}为{value}"},
		Within:    {"{field} in the last {value}", "{field}在最近 {value}内"},
		OlderThan: {"{field} more than {value} ago", "{field}在 {value}以前"},
	},
	Choice: {
		In:    {"{field} is {value}", "{field}为{value}"},
		NotIn: {"{field} is not {value}", "{field}不为{value}"},
	},
}

// setSentences are the conditions on sets: of tags, and of groups.
var setSentences = map[string]map[Op]words{
	"tags": {
		HasAny:  {"has any of the tags {value}", "标签包含任一 {value}"},
		HasAll:  {"has all of the tags {value}", "标签包含全部 {value}"},
		HasNone: {"has none of the tags {value}", "标签不包含 {value}"},
		IsEmpty: {"has no tags", "没有标签"},
	},
	"groups": {
		HasAny:  {"is in any of the groups {value}", "属于任一分组 {value}"},
		HasAll:  {"is in all of the groups {value}", "属于全部分组 {value}"},
		HasNone: {"is in none of the groups {value}", "不属于分组 {value}"},
		IsEmpty: {"is in no group", "不属于任何分组"},
	},
}

var (
	isSetWords     = words{"{field} is set", "{field}已设置"}
	notSetWords    = words{"{field} is not set", "{field}未设置"}
	orNotSet       = words{" (or not set)", "（或未设置）"}
	everybodyWords = words{"everybody", "所有客户"}
	nobodyWords    = words{"nobody", "没有客户"}
	andWords       = words{" and ", " 且 "}
	orWords        = words{" or ", " 或 "}
	notWords       = words{"not (", "非（"}
	openWords      = words{"(", "（"}
	closeWords     = words{")", "）"}
	commaWords     = words{", ", "、"}
	orLastWords    = words{" or ", " 或 "}
	moreWords      = words{"{value} and {more} more", "{value} 等 {all} 个"}
	colonWords     = words{": ", "："}
	nothingWords   = words{"not set", "未设置"}
	noneWords      = words{"none of them", "均无"}
	thresholdWords = words{" (then: {value})", "（当时为 {value}）"}
	untilWords     = words{"before {value}", "{value} 以前"}
	sinceWords     = words{"{value} or later", "{value} 起"}
	notMetWords    = words{" (not met)", "（不满足）"}
	yesWords       = words{"yes", "是"}
	noWords        = words{"no", "否"}
)
