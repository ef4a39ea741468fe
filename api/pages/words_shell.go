package pages

// shellWords is what every page says: its frame, signing in, errors.
var shellWords = words{
	"app.name": {"客户中心", "Customer Center"},

	"nav.customers":  {"客户", "Customers"},
	"nav.operations": {"运营", "Campaigns"},
	"nav.data":       {"数据", "Data"},
	"nav.settings":   {"设置", "Settings"},

	"role.admin":    {"管理员", "Admin"},
	"role.agent":    {"客服", "Agent"},
	"role.analyst":  {"分析师", "Analyst"},
	"role.operator": {"运维", "Operator"},
	"role.channel":  {"渠道", "Channel"},

	"shell.skip":       {"跳到正文", "Skip to content"},
	"shell.navigation": {"主导航", "Main navigation"},
	"shell.account":    {"{name}：账号与外观", "{name}: account and appearance"},
	"shell.theme":      {"外观", "Appearance"},
	"shell.sign_out":   {"退出登录", "Sign out"},
	"shell.updating":   {"已保存，列表正在更新。", "Saved. The page is catching up."},
	"shell.refresh":    {"刷新", "Refresh"},

	"shell.not_updated":     {"没能更新，这里可能不是最新的。", "Could not be updated: this may be old."},
	"shell.no_answer":       {"服务器没有回应，页面保持原样。请检查网络后再试。", "The server did not answer. The page is as it was: check the connection and try again."},
	"shell.no_answer_write": {"服务器没有回应，不能确定是否已保存。填写的内容都还在：请检查网络，核对后再提交。", "The server did not answer, so it may or may not be saved. What you entered is still here: check the connection, look, and send it again."},

	"theme.auto":  {"跟随系统", "As the system"},
	"theme.light": {"浅色", "Light"},
	"theme.dark":  {"深色", "Dark"},

	"keys.title":  {"键盘快捷键", "Keyboard shortcuts"},
	"keys.search": {"跳到搜索框", "Go to the search box"},
	"keys.rows":   {"下一行、上一行", "Next row, previous row"},
	"keys.pick":   {"勾选当前行", "Select the row"},
	"keys.open":   {"打开当前行", "Open the row"},
	"keys.close":  {"关闭弹窗", "Close what is open"},
	"keys.help":   {"显示本说明", "Show this help"},

	"signin.title":        {"登录", "Sign in"},
	"signin.intro":        {"用启动时打印的一次性链接，或你的访问令牌。", "With the one-time link printed at the start, or your access token."},
	"signin.token":        {"令牌或一次性链接", "Token or one-time link"},
	"signin.button":       {"登录", "Sign in"},
	"signin.lasts":        {"登录 12 小时内有效，闲置 2 小时后失效", "Lasts 12 hours, and 2 hours without activity"},
	"signin.why_idle":     {"2 小时没有操作，已自动退出。登录后回到刚才的页面。", "You were signed out after 2 hours without activity. Sign in to go on where you were."},
	"signin.why_over":     {"登录时间已到上限，请重新登录，之后回到刚才的页面。", "Your sign-in has lasted as long as it may. Sign in again to go on where you were."},
	"signin.why_revoked":  {"这次登录所用的令牌已失效或被吊销，请用另一个令牌登录。", "The token you signed in with has expired or was revoked. Sign in with another one."},
	"signin.why_out":      {"已退出登录。", "You are signed out."},
	"signin.unknown":      {"没有这个令牌，或者它已失效。请检查是否复制完整。", "There is no such token, or it is no longer valid. Check that you copied all of it."},
	"signin.channel":      {"渠道令牌只用来上报消息，不能打开页面。", "A channel's token reports messages; it opens no pages."},
	"signin.link_used":    {"这个链接已经用过。请用命令 customercenter sign-in-link 取得新的。", "This link has been used. Get a new one with: customercenter sign-in-link"},
	"signin.link_over":    {"这个链接已过期。请用命令 customercenter sign-in-link 取得新的。", "This link has expired. Get a new one with: customercenter sign-in-link"},
	"signin.link_unknown": {"没有这个链接。请检查是否复制完整。", "There is no such link. Check that you copied all of it."},
	"signin.as":           {"以 {actor} 的身份登录", "Sign in as {actor}"},
	"signin.as_text":      {"{role}，租户 {tenant}。这个链接只能用一次。", "{role} of {tenant}. The link works once."},
	"signin.as_operator":  {"{role}。这个链接只能用一次。", "{role}. The link works once."},

	"home.nothing":      {"这里还没有可看的页面", "There is nothing here for you yet"},
	"home.nothing_text": {"你的角色目前没有可用的页面。需要更多权限，请联系管理员。", "Your role has no pages yet. Ask an admin if you need more."},

	"error.missing":          {"没有这个页面", "There is no such page"},
	"error.missing_text":     {"地址可能写错了，或者它指向的内容已被删除。", "The address may be wrong, or what it led to has been deleted."},
	"error.broken":           {"页面没能打开", "The page could not be shown"},
	"error.broken_text":      {"数据没有受影响。请稍后再试；如果一直如此，把下面的编号告诉管理员。", "Your data is untouched. Try again in a moment; if it stays like this, tell an admin the number below."},
	"error.unavailable":      {"暂时连不上数据库", "The database cannot be reached"},
	"error.unavailable_text": {"已保存的数据都在。请稍等片刻再试。", "Everything that was saved is safe. Try again in a moment."},
	"error.crossing":         {"已拦截来自其他网站的操作", "Something from another site was blocked"},
	"error.crossing_text":    {"这次提交不是从客户中心的页面发出的，没有做任何更改。请回到页面里再操作一次。", "This was not sent from a page of the Customer Center. Nothing was changed. Please do it again from the page itself."},
	"error.slow":             {"提交的内容没有完整到达", "That did not arrive in full"},
	"error.slow_text":        {"没有做任何更改。网络可能太慢或已断开，请再次提交。", "Nothing was changed. The connection may be slow, or was lost. Send it again."},
	"error.too_large":        {"提交的内容太大", "That was too much to take"},
	"error.too_large_text":   {"没有做任何更改。请缩短内容后再提交。", "Nothing was changed. Make it shorter and send it again."},
	"error.unreadable":       {"提交的内容无法读取", "That could not be read"},
	"error.unreadable_text":  {"没有做任何更改。请回到页面里再操作一次。", "Nothing was changed. Please do it again from the page itself."},
	"error.no_form":          {"这里不接收文件", "No file is taken here"},
	"error.no_form_text":     {"没有做任何更改。要导入客户，请到“导入数据”。", "Nothing was changed. Customers are imported from a file under “Import”."},
	"error.query_gone":       {"这次搜索已失效", "This search is gone"},
	"error.query_gone_text":  {"搜索内容只为当前登录保存。请重新搜索。", "What you look for is kept for one sign-in only. Please search again."},
	"error.id":               {"编号", "Number"},
	"error.again":            {"再试一次", "Try again"},
	"error.home":             {"回到首页", "To the first page"},
}

// partWords is what parts say that many pages have.
var partWords = words{
	"do.cancel":  {"取消", "Cancel"},
	"do.close":   {"关闭", "Close"},
	"do.undo":    {"撤销", "Undo"},
	"do.dismiss": {"关闭提示", "Dismiss"},
	"do.copy":    {"复制 {what}", "Copy {what}"},
	"do.search":  {"搜索", "Search"},

	"filter.now":    {"当前条件", "Conditions"},
	"filter.remove": {"移除条件 {name} {value}", "Remove the condition {name} {value}"},
	"filter.clear":  {"清除条件", "Clear"},

	"pager.prev": {"上一页", "Previous"},
	"pager.next": {"下一页", "Next"},

	"time.now":           {"刚刚", "just now"},
	"time.minutes_ago":   {"{n} 分钟前", "{n} min ago"},
	"time.hours_ago":     {"{n} 小时前", "{n} h ago"},
	"time.days_ago":      {"{n} 天前", "{n} {n?day:days} ago"},
	"time.minutes_ahead": {"{n} 分钟后", "in {n} min"},
	"time.hours_ahead":   {"{n} 小时后", "in {n} h"},
	"time.days_ahead":    {"{n} 天后", "in {n} {n?day:days}"},

	"watch.over": {"已停止自动更新。", "It is not updated by itself any more."},

	"facts.unset": {"未填写", "not set"},
	"facts.colon": {"：", ": "},

	"table.actions": {"操作", "Actions"},
	"nobody":        {"未命名", "Unnamed"},
	"actor.system":  {"系统", "System"},

	"job.preparing": {"正在准备…", "Getting ready…"},
	"job.lost":      {"连接中断，正在重试；任务不受影响。", "The connection is lost, and is tried again. The job goes on."},
	"job.first":     {"回到开头", "To the beginning"},

	"uses.group":        {"分组", "Group"},
	"uses.view":         {"视图", "View"},
	"uses.auto_message": {"自动消息", "Auto message"},
}
