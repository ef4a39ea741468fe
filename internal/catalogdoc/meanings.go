package catalogdoc

import (
	"fmt"
	"slices"
	"strings"
)

// words are the same in English and in Chinese.
type words struct{ en, zh string }

func (w words) both() string { return w.en + " / " + w.zh }

// meanings says what members of events and messages mean, by the end of their path, as many parts as are needed: "name" is any name that
// nothing longer speaks of, "tag.created.name" that of one type. It is an error of find when a member has none, or when one is spoken of
// that does not exist.
var meanings = map[string]words{
	// Whom and what it is about.
	"customer":    {"the customer's id", "客户的标识"},
	"customers":   {"ids of the customers", "客户的标识列表"},
	"association": {"the association, a number", "关联的编号"},
	"session":     {"the session's id", "会话的标识"},
	"tag":         {"the tag's id", "标签的标识"},
	"group":       {"the group's id", "分组的标识"},
	"view":        {"the view's id", "视图的标识"},
	"import":      {"the import's id", "导入任务的标识"},
	"export":      {"the export's id", "导出任务的标识"},
	"bulk":        {"the bulk action's id", "批量操作的标识"},
	"auto_message": {
		"the auto message's id", "自动消息的标识"},
	"position": {"the position in the tenant's log", "在租户日志中的位置"},

	// Read models.
	"projection.events_skipped.projection": {"name of the read model", "读模型的名称"},
	"projection.events_skipped.version":    {"the version of the read model for which it counts", "适用的读模型版本"},
	"projection.events_skipped.positions":  {"positions of the events in the tenant's log, ascending", "被跳过的事件在租户日志中的位置，升序"},
	"projection.events_skipped.reason":     {"why, 1 to 500 characters; not sealed", "原因，1–500 个字，不加密"},

	// Settings.
	"time_zone":       {"IANA name of the time zone", "时区的 IANA 名称"},
	"day":             {"monday to sunday", "每周第一天：monday 到 sunday"},
	"customer_center": {"whether agents may use the customer center", "客服可否使用客户中心"},
	"settings.agent_access_set.blacklist": {
		"whether agents may use the blacklist", "客服可否使用黑名单"},
	"template":    {"address with {external_id}; empty for none", "含 {external_id} 的链接模板；空表示没有"},
	"entitlement": {"name of the capability: import", "功能的名称：import"},

	// Associations, tags, fields, groups, views.
	"channel":          {"app, web, wechat, weibo, phone or api", "渠道：app、web、wechat、weibo、phone 或 api"},
	"account":          {"the account at the channel", "渠道中的账号"},
	"name":             {"what people call it", "名称"},
	"field":            {"the field's key", "字段的键"},
	"field.added.type": {"type of its values: text, multiline, number, date, select, multi_select or cascade", "字段类型：text、multiline、number、date、select、multi_select 或 cascade"},
	"label":            {"what people read", "显示的名称"},
	"hint":             {"what is said to who fills it in", "填写提示"},
	"options":          {"what can be chosen, in order, each behind its parent", "可选项，按顺序，子项在父项之后"},
	"options.id":       {"the option's id, unique in the field", "选项的标识，在字段内唯一"},
	"parent":           {"the option it belongs to; absent at the top", "上级选项；顶层没有"},
	"order":            {"keys of all fields, in order", "全部字段的键，按顺序"},
	"rule":             {"who is in it: a filter, see docs/filters.md", "成员规则：一个筛选条件，见 docs/filters.md"},
	"agent_visible":    {"whether agents see the group", "客服是否可见"},
	"group.revised.revision": {
		"number of the rule; the first is 1", "规则的版次，第一版为 1"},
	"filter":     {"a filter, see docs/filters.md", "筛选条件，见 docs/filters.md"},
	"sort":       {"what the list is sorted by", "列表的排序"},
	"columns":    {"keys of the columns, in order", "各列的键，按顺序"},
	"owner":      {"who made it", "创建者"},
	"owner.kind": {"kind of actor: admin, agent, …", "操作者的类型：admin、agent 等"},
	"owner.id":   {"the actor's id, never a name", "操作者的标识，不是姓名"},

	// Customers.
	"external_id":  {"the ID at the channel", "在渠道中的 ID（客户ID、访客ID）"},
	"profile":      {"what is known about the person; what is not set is absent", "客户资料；未设置的不出现"},
	"nickname":     {"nickname", "昵称"},
	"profile.name": {"name", "名字"},
	"phone":        {"phone number", "手机"},
	"qq":           {"QQ number", "QQ"},
	"wechat_id":    {"WeChat ID", "微信号"},
	"email":        {"email address", "邮箱"},
	"company":      {"company", "公司"},
	"description":  {"description", "描述"},
	"custom":       {"values of custom fields, by key", "自定义字段的值，以键为名"},
	"tags":         {"ids of the tags from the beginning", "创建时的标签的标识"},
	"via":          {"inbound (wrote to us), import or api", "来源方式：inbound（主动来访）、import 或 api"},
	"generation":   {"1, and one more each time the same person begins anew", "代次：从 1 起，同一人每次重新开始加 1"},
	"customer.profile_changed.fields": {
		"what changed, by key; custom ones are custom.<key>", "变更的字段，以键为名；自定义字段为 custom.<键>"},
	"old":       {"the value before; null for not set", "原值；null 表示未设置"},
	"new":       {"the value since; null for not set", "新值；null 表示未设置"},
	"initiator": {"customer or agent", "发起方：customer 或 agent"},
	"aborted":   {"whether no agent had accepted it", "是否未被客服接起"},
	"last_customer_message_at": {
		"when the customer last wrote in it; absent for never", "客户最后一次发消息的时间；没有则不出现"},
	"customer.blacklisted.reason":     {"why, 1 to 150 characters", "原因，1–150 个字"},
	"customer.blacklisted.expires_at": {"when it ends by itself; absent for never", "自动到期的时间；不出现表示永久"},
	"customer.unblacklisted.cause":    {"manual or expired", "manual（手动）或 expired（到期）"},

	// Sessions and messages.
	"session.started.callback": {"whether an agent called back", "是否为回呼"},
	"agent":                    {"the agent's id", "客服的标识"},
	"session.transferred.from": {"the agent who had it; absent if nobody", "转出的客服；没有则不出现"},
	"to":                       {"the agent who gets it", "转入的客服"},
	"message_recorded.message": {"the channel's id of the message", "渠道中消息的标识"},
	"sender":                   {"who wrote it", "发送者"},
	"sender.kind":              {"customer, agent or system", "customer、agent 或 system"},
	"sender.id":                {"the agent's id; absent for others", "客服的标识；其他没有"},
	"kind":                     {"text, image, voice, video, file, location or other", "消息类型：text、image、voice、video、file、location 或 other"},
	"text":                     {"what was written", "消息正文"},
	"url":                      {"where the picture, sound or file is", "图片、语音或文件的地址"},
	"message_recorded.name":    {"name of the file", "文件名"},
	"late":                     {"whether it came after the close of its session", "是否在会话结束后才到达"},
	"ip":                       {"IP address", "IP 地址"},
	"region":                   {"region", "地区"},
	"user_agent":               {"software as the browser names it", "软件环境，浏览器所报的原文"},
	"referrer":                 {"page the visitor came from", "来源页面"},
	"score":                    {"1 to 5", "评分，1–5"},
	"reasons":                  {"reasons that were given", "给出的原因"},
	"comment":                  {"what the customer wrote about it", "留言"},
	"by":                       {"customer, agent or system", "操作方：customer、agent 或 system"},
	"cause":                    {"why: a short code", "原因：简短代码"},

	// Auto messages.
	"audience":        {"who gets it by itself", "自动发送的对象"},
	"audience.filter": {"those who match: a filter, see docs/filters.md", "符合条件的客户：筛选条件，见 docs/filters.md"},
	"groups":          {"those who are in one of these groups", "属于这些分组之一的客户"},
	"rate":            {"messages per minute", "每分钟条数"},
	"code":            {"why: a stable code", "原因：稳定的代码"},
	"defined.text":    {"what is sent", "发送的正文"},
	"changed.text":    {"what is sent", "发送的正文"},

	// Channels and subscribers.
	"message":                 {"the message", "消息"},
	"message.id":              {"the channel's id of the message", "渠道中消息的标识"},
	"web":                     {"what the visitor's browser told", "访客浏览器的信息"},
	"session_id":              {"the session's id; absent: the customer's unfinished one", "会话的标识；没有则为客户未结束的会话"},
	"message.send.session_id": {"the session's id; absent for an auto message", "会话的标识；自动消息没有"},
	"auto_message_id":         {"the auto message's id; absent for an agent's message", "自动消息的标识；客服消息没有"},
	"customer_id":             {"the customer's id", "客户的标识"},
	"association_id":          {"the association, a number", "关联的编号"},
	"group_id":                {"the group's id", "分组的标识"},
	"revision":                {"number of the rule that judged; 0 if the group has ended", "所依据规则的版次；0 表示分组已删除"},
	"entered.cause":           {"why", "原因"},
	"left.cause":              {"why", "原因"},
	"cause.kind":              {"event, clock or rule", "event（事件）、clock（时间）或 rule（规则）"},
	"event_position":          {"the event in the tenant's log; absent for the clock", "租户日志中的事件位置；由时间引起时没有"},
	"at":                      {"when", "时间"},

	// Imports, exports, bulk actions.
	"file_name":               {"name of the file", "文件名"},
	"format":                  {"csv or xlsx", "csv 或 xlsx"},
	"bytes":                   {"size in bytes", "大小，字节"},
	"rows":                    {"how many rows", "行数"},
	"import.uploaded.columns": {"what each column is; empty for one that is passed over", "各列的含义；空表示忽略该列"},
	"create_tags":             {"whether tags that do not exist are created", "是否创建不存在的标签"},
	"dry_run":                 {"whether it is only a trial", "是否仅校验"},
	"from":                    {"the first of these, counted from 0", "本批的第一个，从 0 起数"},
	"rows_recorded.to":        {"behind the last of these", "本批最后一个之后"},
	"rows_reverted.to":        {"behind the last of these", "本批最后一个之后"},
	"applied.to":              {"behind the last of these", "本批最后一个之后"},
	"undone.to":               {"behind the last of these", "本批最后一个之后"},
	"created":                 {"rows that made a customer", "创建了客户的行"},
	"rejected":                {"rows that made none, and why", "被拒绝的行及原因"},
	"row":                     {"the row as the spreadsheet program numbers it", "行号，与表格软件一致"},
	"created.customer":        {"the customer; absent in a trial", "客户的标识；仅校验时没有"},
	"column":                  {"the column that is wrong; absent if it is no single one", "出错的列；不止一列时没有"},
	"args":                    {"values for the words of the code, none from the file", "代码说明中的参数，不含文件内容"},
	"count":                   {"how many were taken back", "撤回的个数"},
	"undone.count":            {"for how many it was undone", "已撤销的个数"},
	"kept":                    {"those left alone, as something has happened to them since", "因后来有变更而保留的"},
	"bulk.undone.kept":        {"those left alone, and why", "予以保留的客户及原因"},
	"action":                  {"what is done: tag, untag, blacklist or unblacklist", "操作：tag、untag、blacklist 或 unblacklist"},
	"bulk.started.tag":        {"the tag that is put on or taken off", "添加或移除的标签"},
	"reason":                  {"why they are listed", "加入黑名单的原因"},
	"bulk.started.expires_at": {"when the listings end; absent for never", "黑名单到期时间；不出现表示永久"},
	"bulk.selected.customers": {"how many customers", "客户数"},
	"changed":                 {"to whom something happened", "发生了变更的客户"},
	"version":                 {"version of the customer's stream since", "变更后客户流的版本"},
	"refused":                 {"to whom nothing happened, and why", "未变更的客户及原因"},
	"language":                {"language of headings and values: zh or en", "标题与取值的语言：zh 或 en"},
	"expires_at":              {"until when the file can be had", "文件有效期"},
}

// glossary hands out meanings, and remembers which.
type glossary struct{ used map[string]bool }

// meaning is what the member at a path means.
func (g *glossary) meaning(path string) (words, error) {
	for rest, found := path, true; found; _, rest, found = strings.Cut(rest, ".") {
		if w, ok := meanings[rest]; ok {
			g.used[rest] = true
			return w, nil
		}
	}
	return words{}, fmt.Errorf("meanings.go does not say what %s means", path)
}

// unused is an error if something is explained that does not occur.
func (g *glossary) unused() error {
	var idle []string
	for name := range meanings {
		if !g.used[name] {
			idle = append(idle, name)
		}
	}
	slices.Sort(idle)
	if len(idle) > 0 {
		return fmt.Errorf("meanings.go explains what does not occur: %s", strings.Join(idle, ", "))
	}
	return nil
}
