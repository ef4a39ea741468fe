package locale

// columns has what people call the columns of the customer list that are no fields of a profile, as they head a table.
var columns = map[string]text{
	"association":      {"association ID", "关联ID"},
	"channel":          {"channel", "渠道"},
	"created_via":      {"came by", "来源方式"},
	"created_at":       {"created at", "创建时间"},
	"updated_at":       {"updated at", "更新时间"},
	"tags":             {"tags", "客户标签"},
	"groups":           {"groups", "客户分组"},
	"first_session_at": {"first session at", "首次会话时间"},
	"last_session_at":  {"last session at", "最近会话时间"},
	"last_message_at":  {"last message at", "最近消息时间"},
	"last_agent":       {"last agent", "最近服务客服"},
	"session_count":    {"sessions", "会话数"},
	"message_count":    {"messages", "消息数"},
	"suppressed_count": {"suppressed messages", "被拦截消息数"},
	"rating_avg":       {"average rating", "平均满意度"},
	"rating_last":      {"last rating", "最近一次满意度"},
	"session_open":     {"session open", "有未结束的会话"},
	"ever_served":      {"ever served", "接受过服务"},
	"imported":         {"imported", "由导入创建"},
	"blacklisted":      {"blacklisted", "在黑名单中"},
	"blacklisted_at":   {"blacklisted at", "加入黑名单时间"},
}

// Column returns what heads a column of the customer list; of a column without words the name itself.
func Column(l Language, name string) string {
	if words, ok := columns[name]; ok {
		return words.in(l)
	}
	return name
}
