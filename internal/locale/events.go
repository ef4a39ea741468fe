package locale

import (
	"maps"
	"slices"
	"strings"
)

// events has a sentence for every type of event. {name} stands for a value of the event, by its JSON name. Sentences need no plural
// and read well whatever the value is, "not set" too. A test fails when a type has no sentence, or a sentence names a value that the
// event does not have.
var events = map[string]text{
	"settings.time_zone_set":  {"The time zone was set to {time_zone}.", "时区设为 {time_zone}。"},
	"settings.week_start_set": {"The first day of the week was set to {day}.", "每周第一天设为{day}。"},
	"settings.agent_access_set": {"What agents may do was set: customer center {customer_center}, blacklist {blacklist}.",
		"客服权限设为：客户中心{customer_center}，黑名单{blacklist}。"},
	"settings.order_link_set":      {"The template of the order link was set to {template}.", "订单链接模板设为 {template}。"},
	"settings.entitlement_granted": {"The capability {entitlement} was granted.", "开通了{entitlement}功能。"},
	"settings.entitlement_revoked": {"The capability {entitlement} was withdrawn.", "停用了{entitlement}功能。"},

	"association.registered": {"The account {account} of the channel {channel} was connected as {association}, named {name}.",
		"{channel}渠道的账号 {account} 已关联为 {association}，名称为“{name}”。"},
	"association.renamed": {"The association {association} was renamed to {name}.", "关联 {association} 更名为“{name}”。"},
	"association.removed": {"The association {association} was disconnected.", "关联 {association} 已解除。"},

	"tag.created": {"The tag {name} was created.", "创建了标签“{name}”。"},
	"tag.renamed": {"The tag was renamed to {name}.", "标签更名为“{name}”。"},
	"tag.deleted": {"The tag {tag} was deleted.", "删除了标签“{tag}”。"},

	"field.added":     {"The field {label} of the type {type} was added.", "新增了“{type}”类型的字段“{label}”。"},
	"field.changed":   {"The field {field} was changed: it is called {label}, hint: {hint}, options: {options}.", "修改了字段“{field}”：名称：{label}，提示：{hint}，选项：{options}。"},
	"field.shown":     {"The field {field} is shown.", "显示了字段“{field}”。"},
	"field.hidden":    {"The field {field} is hidden.", "隐藏了字段“{field}”。"},
	"field.enabled":   {"The field {field} was enabled.", "启用了字段“{field}”。"},
	"field.disabled":  {"The field {field} was disabled.", "停用了字段“{field}”。"},
	"field.reordered": {"The fields were put in this order: {order}.", "调整了字段顺序：{order}。"},
	"field.removed":   {"The field {field} was removed.", "删除了字段“{field}”。"},

	"group.defined":        {"The group {name} was defined; visible to agents: {agent_visible}.", "创建了分组“{name}”；客服可见：{agent_visible}。"},
	"group.revised":        {"The rule of the group {group} was revised; revision {revision}.", "修改了分组“{group}”的规则；第 {revision} 版。"},
	"group.renamed":        {"The group was renamed to {name}.", "分组更名为“{name}”。"},
	"group.visibility_set": {"Whether agents see the group {group} was set to: {agent_visible}.", "分组“{group}”的客服可见设为：{agent_visible}。"},
	"group.deleted":        {"The group {group} was deleted.", "删除了分组“{group}”。"},

	"view.saved":    {"The view {name} was saved.", "保存了视图“{name}”。"},
	"view.shared":   {"The view {view} was shared.", "共享了视图 {view}。"},
	"view.unshared": {"The view {view} is shared no more.", "视图 {view} 不再共享。"},
	"view.deleted":  {"The view {view} was deleted.", "删除了视图 {view}。"},

	"auto_message.defined": {"The auto message {name} was defined, {rate} per minute: {text}", "创建了自动消息“{name}”，每分钟 {rate} 条：{text}"},
	"auto_message.changed": {"The auto message {name} was changed, {rate} per minute: {text}", "修改了自动消息“{name}”，每分钟 {rate} 条：{text}"},
	"auto_message.started": {"The auto message {auto_message} was started.", "启动了自动消息“{auto_message}”。"},
	"auto_message.stopped": {"The auto message {auto_message} was stopped.", "停止了自动消息“{auto_message}”。"},
	"auto_message.deleted": {"The auto message {auto_message} was deleted.", "删除了自动消息“{auto_message}”。"},
	"auto_message.recipients_added": {"Customers were put on the list of the auto message {auto_message}.",
		"客户被加入自动消息“{auto_message}”的发送名单。"},
	"auto_message.sent":      {"The auto message {auto_message} was sent.", "发送了自动消息“{auto_message}”。"},
	"auto_message.withheld":  {"The auto message {auto_message} was withheld: {code}.", "自动消息“{auto_message}”未发出：{code}。"},
	"auto_message.delivered": {"The auto message {auto_message} arrived.", "自动消息“{auto_message}”已送达。"},
	"auto_message.read":      {"The auto message {auto_message} was read.", "自动消息“{auto_message}”已读。"},
	"auto_message.replied":   {"The customer replied to the auto message {auto_message}.", "客户回复了自动消息“{auto_message}”。"},

	"projection.events_skipped": {"What happened at {positions} in the log is left out of {projection} (version {version}), as it could not be taken in: {reason}",
		"日志位置 {positions} 的事件无法应用，不再计入“{projection}”（版本 {version}）：{reason}"},

	"import.uploaded": {"The file {file_name} was uploaded for an import; rows: {rows}.", "上传了导入文件“{file_name}”，共 {rows} 行。"},
	"import.started":  {"The import was started; only a trial: {dry_run}.", "开始导入；仅校验：{dry_run}。"},
	"import.rows_recorded": {"Rows were dealt with, {to} so far; of these ones created: {created}, refused: {rejected}.",
		"处理了一批数据行，累计 {to} 行；本批创建 {created} 行，拒绝 {rejected} 行。"},
	"import.completed":      {"The import is complete.", "导入完成。"},
	"import.failed":         {"The import failed: {code}.", "导入失败：{code}。"},
	"import.canceled":       {"The import was canceled.", "取消了导入。"},
	"import.revert_started": {"The import is to be reverted.", "开始撤销导入。"},
	"import.rows_reverted":  {"Customers of the import were withdrawn: {count}, left alone: {kept}.", "撤回了导入的客户：{count} 个，予以保留：{kept} 个。"},
	"import.reverted":       {"The import was reverted.", "导入已撤销。"},

	"export.requested":  {"An export was requested; format {format}, language {language}.", "发起了导出；格式：{format}，语言：{language}。"},
	"export.completed":  {"The file of the export is ready; rows: {rows}; it can be had until {expires_at}.", "导出文件已生成，共 {rows} 行；有效期至 {expires_at}。"},
	"export.failed":     {"The export failed: {code}.", "导出失败：{code}。"},
	"export.canceled":   {"The export was canceled.", "取消了导出。"},
	"export.downloaded": {"The file of the export was downloaded.", "下载了导出文件。"},
	"export.expired":    {"The file of the export was deleted: {code}.", "导出文件已删除：{code}。"},

	"bulk.started":      {"A bulk action was started: {action}; tag: {tag}; reason: {reason}.", "发起了批量操作：{action}；标签：{tag}；原因：{reason}。"},
	"bulk.selected":     {"Customers were selected for the bulk action: {customers}.", "选定了批量操作的客户：{customers} 个。"},
	"bulk.applied":      {"Customers were seen to, {to} so far; of these ones changed: {changed}, refused: {refused}.", "处理了一批客户，累计 {to} 个；本批变更 {changed} 个，拒绝 {refused} 个。"},
	"bulk.completed":    {"The bulk action is complete.", "批量操作完成。"},
	"bulk.failed":       {"The bulk action failed: {code}.", "批量操作失败：{code}。"},
	"bulk.canceled":     {"The bulk action was canceled.", "取消了批量操作。"},
	"bulk.undo_started": {"The bulk action is to be undone.", "开始撤销批量操作。"},
	"bulk.undone":       {"For customers it was undone: {count}, left alone: {kept}.", "已为客户撤销：{count} 个，予以保留：{kept} 个。"},
	"bulk.reverted":     {"The bulk action was undone.", "批量操作已撤销。"},

	"customer.created": {"The customer {external_id} was created: {via}, channel {channel}, association {association}.",
		"创建了客户 {external_id}：{via}，渠道：{channel}，关联：{association}。"},
	"customer.profile_changed": {"The profile was changed: {fields}.", "修改了客户资料：{fields}。"},
	"customer.tagged":          {"The tag {tag} was put on.", "添加了标签“{tag}”。"},
	"customer.untagged":        {"The tag {tag} was taken off.", "移除了标签“{tag}”。"},
	"customer.session_opened":  {"A session was opened by: {initiator}.", "开启了会话，发起方：{initiator}。"},
	"customer.session_closed": {"The session ended; last message of the customer: {last_customer_message_at}.",
		"会话结束；客户最后一条消息：{last_customer_message_at}。"},
	"customer.blacklisted":   {"Put on the blacklist; reason: {reason}; until: {expires_at}.", "加入黑名单；原因：{reason}；到期时间：{expires_at}。"},
	"customer.unblacklisted": {"Taken off the blacklist: {cause}.", "移出黑名单：{cause}。"},
	"customer.erased":        {"The customer was erased, with all that was known of the person.", "客户已被删除，连同有关此人的全部个人数据。"},
	"customer.disclosed":     {"All that is known about the customer was given out.", "导出了关于此客户的全部信息。"},
	"customer.withdrawn":     {"The customer was withdrawn: the import {import} was reverted.", "客户已被撤回：导入 {import} 已撤销。"},

	"session.started": {"A session began; channel {channel}, begun by: {initiator}, callback: {callback}.",
		"会话开始；渠道：{channel}，发起方：{initiator}，回呼：{callback}。"},
	"session.accepted":         {"The agent {agent} accepted the session.", "客服 {agent} 接起了会话。"},
	"session.transferred":      {"The session was transferred from {from} to {to}.", "会话由 {from} 转接给 {to}。"},
	"session.message_recorded": {"{sender} sent a message of the kind {kind}: {text}", "{sender} 发送了{kind}消息：{text}"},
	"session.web_attributes_recorded": {"The visitor's browser: IP {ip}, region {region}, software {user_agent}, source {referrer}.",
		"访客环境：IP {ip}，地区 {region}，软件环境 {user_agent}，来源 {referrer}。"},
	"session.rated": {"The customer rated the session: {score} of 5; reasons: {reasons}; comment: {comment}.",
		"客户评价了会话：{score} 分（满分 5 分）；原因：{reasons}；留言：{comment}。"},
	"session.closed":  {"The session was closed by: {by}; cause: {cause}.", "会话被关闭，操作方：{by}；原因：{cause}。"},
	"session.aborted": {"The session was aborted before it was accepted, by: {by}; cause: {cause}.", "会话未被接起即中止，操作方：{by}；原因：{cause}。"},

	"suppressed.message_recorded": {"The customer wrote while on the blacklist; no session was opened. A message of the kind {kind}: {text}",
		"客户在黑名单中发来消息，未创建会话。{kind}消息：{text}"},
}

// words has what people call the values that events hold, by "<kind>.<value>".
var words = map[string]text{
	"channel.app":    {"app", "APP"},
	"channel.web":    {"web", "网页"},
	"channel.wechat": {"WeChat", "微信"},
	"channel.weibo":  {"Weibo", "微博"},
	"channel.phone":  {"phone", "电话"},
	"channel.api":    {"API", "API"},

	"via.inbound": {"reached out", "主动来访"},
	"via.import":  {"imported", "导入"},
	"via.api":     {"added by hand or API", "手动或接口添加"},

	"party.customer": {"customer", "客户"},
	"party.agent":    {"agent", "客服"},
	"party.system":   {"system", "系统"},

	"message.text":     {"text", "文本"},
	"message.image":    {"image", "图片"},
	"message.voice":    {"voice", "语音"},
	"message.video":    {"video", "视频"},
	"message.file":     {"file", "文件"},
	"message.location": {"location", "位置"},
	"message.other":    {"other", "其他"},

	"state.waiting":    {"waiting", "待接起"},
	"state.processing": {"processing", "处理中"},
	"state.closed":     {"closed", "已结束"},
	"state.aborted":    {"not accepted", "未接起"},

	"read_model.customers":     {"the customer list", "客户列表"},
	"read_model.sessions":      {"the session history", "历史会话"},
	"read_model.history":       {"the change history", "变更记录"},
	"read_model.auto_messages": {"the auto messages", "自动消息"},
	"read_model.groups":        {"the groups", "客户分组"},
	"read_model.jobs":          {"the jobs", "任务"},

	"removal.manual":  {"by hand", "手动移出"},
	"removal.expired": {"the time ran out", "到期自动移出"},

	"end.blacklisted": {"the customer was put on the blacklist", "客户被加入黑名单"},
	"end.timeout":     {"nobody wrote for too long", "超时"},

	"withheld.NOT_FOUND":            {"the customer is no more", "客户已不存在"},
	"withheld.CUSTOMER_BLACKLISTED": {"the customer was put on the blacklist", "客户被加入黑名单"},
	"withheld.ASSOCIATION_GONE":     {"the association was disconnected", "关联已解除"},

	"field_type.text":         {"text", "单行文本"},
	"field_type.multiline":    {"multi-line text", "多行文本"},
	"field_type.number":       {"number", "数字"},
	"field_type.date":         {"date", "日期"},
	"field_type.select":       {"select", "单选"},
	"field_type.multi_select": {"multi-select", "多选"},
	"field_type.cascade":      {"cascade select", "级联选择"},

	"day.monday":    {"Monday", "星期一"},
	"day.tuesday":   {"Tuesday", "星期二"},
	"day.wednesday": {"Wednesday", "星期三"},
	"day.thursday":  {"Thursday", "星期四"},
	"day.friday":    {"Friday", "星期五"},
	"day.saturday":  {"Saturday", "星期六"},
	"day.sunday":    {"Sunday", "星期日"},

	"entitlement.import": {"import of customers", "客户导入"},

	"format.csv":  {"csv", "CSV"},
	"format.xlsx": {"xlsx", "XLSX"},

	"language.zh": {"Chinese", "中文"},
	"language.en": {"English", "英文"},

	"action.tag":         {"put a tag on", "添加标签"},
	"action.untag":       {"take a tag off", "移除标签"},
	"action.blacklist":   {"put on the blacklist", "加入黑名单"},
	"action.unblacklist": {"take off the blacklist", "移出黑名单"},

	"job_status.queued":    {"waiting", "等待中"},
	"job_status.running":   {"running", "进行中"},
	"job_status.completed": {"complete", "已完成"},
	"job_status.failed":    {"failed", "已失败"},
	"job_status.canceled":  {"canceled", "已取消"},
	"job_status.reverted":  {"taken back", "已撤销"},

	"access.true":  {"allowed", "允许"},
	"access.false": {"not allowed", "不允许"},
	"bool.true":    {"yes", "是"},
	"bool.false":   {"no", "否"},

	"role.admin":    {"admin", "管理员"},
	"role.agent":    {"agent", "客服"},
	"role.analyst":  {"analyst", "分析师"},
	"role.channel":  {"channel", "渠道"},
	"role.operator": {"operator", "运营"},
	"role.policy":   {"policy", "自动规则"},
	"role.system":   {"system", "系统"},

	"from.channel_event": {"channel event {id}", "渠道事件 {id}"},
	"from.policy":        {"policy, because of event {id}", "自动规则，由事件 {id} 触发"},
	"from.request":       {"request {id}", "请求 {id}"},

	"none":       {"not set", "未设置"},
	"erased":     {"erased", "已删除"},
	"never":      {"never", "从未"},
	"no_end":     {"no end", "永久"},
	"time_over":  {"its time was over", "已到期"},
	"unknown":    {"nobody", "无"},
	"separator":  {"; ", "；"},
	"comma":      {", ", "、"},
	"colon":      {": ", "："},
	"arrow":      {"{old} → {new}", "{old} → {new}"},
	"attachment": {"(attachment {name})", "（附件 {name}）"},
}

// Sentence tells an event of that type in words. value gives the words for each value that the sentence names. A type without a
// sentence, which the tests do not let pass, is its own sentence.
func Sentence(l Language, eventType string, value func(name string) string) string {
	sentence, ok := events[eventType]
	if !ok {
		return eventType
	}
	return fill(sentence.in(l), value)
}

// Meaning is the sentence of a type of event with its values left open, such as {tag}; false if it has none.
func Meaning(l Language, eventType string) (string, bool) {
	sentence, ok := events[eventType]
	return sentence.in(l), ok
}

// Word returns what people call a value of a kind, such as ("channel", "wechat"). A value without a word is its own.
func Word(l Language, kind, value string) string {
	if word, ok := words[kind+"."+value]; ok {
		return word.in(l)
	}
	return value
}

// HasWord reports whether there is a word for a value of a kind.
func HasWord(kind, value string) bool {
	_, ok := words[kind+"."+value]
	return ok
}

// Phrase returns fixed words such as "none" or "from.request", with {name} filled from the pairs of name and value.
func Phrase(l Language, name string, pairs ...string) string {
	phrase, ok := words[name]
	if !ok {
		return name
	}
	return fill(phrase.in(l), paired(pairs))
}

// paired finds values in pairs of name and value.
func paired(pairs []string) func(name string) string {
	return func(name string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return "?"
	}
}

// Label returns what people call a value of an event, by its aggregate and its JSON name ("tag", "name"): the words for that
// aggregate's, else those that are the same everywhere.
func Label(l Language, aggregate, name string) string {
	if label, ok := fields[aggregate+"."+name]; ok {
		return label.in(l)
	}
	return Field(l, name)
}

// HasLabel reports whether Label has words.
func HasLabel(aggregate, name string) bool {
	_, own := fields[aggregate+"."+name]
	_, any := fields[name[strings.LastIndexByte(name, '.')+1:]]
	return own || any
}

// Sentences lists the types of events that have a sentence, sorted.
func Sentences() []string { return slices.Sorted(maps.Keys(events)) }
