package pages

// companyWords is what is said of signing in with a company account.
var companyWords = words{
	"company.button":    {"用公司账号登录", "Sign in with your company account"},
	"company.or":        {"或者", "or"},
	"company.another":   {"换一个公司账号", "Use another company account"},
	"company.otherwise": {"用令牌或一次性链接登录", "Sign in with a token or a one-time link"},

	"company_why.away":      {"现在连不上公司的登录服务。请稍后再试；令牌和一次性链接仍然可用。", "Your company's sign-in cannot be reached right now. Try again in a moment; tokens and one-time links go on working."},
	"company_why.not_begun": {"这次公司账号登录不是从这个浏览器开始的，或者已经过期。请重新登录。", "This sign-in was not begun in this browser, or took too long. Please begin again."},
	"company_why.declined":  {"公司的登录服务没有同意这次登录，或者你取消了登录。", "Your company's sign-in did not agree, or you canceled it."},
	"company_why.unproven":  {"公司的登录服务给出的结果无法确认，比如它已经用过一次。请重新登录。", "What came back from your company's sign-in proves nothing, for example because it was used before. Please begin again."},
	"company_why.client":    {"公司的登录服务不接受客户中心。请让运维检查客户端 ID、密钥和回调地址的设置。", "Your company's sign-in does not accept the Customer Center. Ask an operator to check the client's id, its secret and its addresses."},
	"company_why.no_actor":  {"你的公司账号缺少客户中心用来记录操作人的编号。请让管理员检查 --oidc-actor 的设置。", "Your company account lacks the id under which the Customer Center records who did what. Ask an administrator to check --oidc-actor."},
	"company_why.no_tenant": {"你的角色所在的租户不存在。请让运维检查 --oidc-grant 的设置，或创建这个租户。", "Your role is in a tenant that does not exist. Ask an operator to check --oidc-grant, or to create the tenant."},

	"company.no_role":      {"你的账号在客户中心还没有角色", "Your account has no role here yet"},
	"company.no_role_text": {"公司账号已确认。请让公司账号的管理员把你加入一个能使用客户中心的组，或让客户中心的运维为你所在的组设置角色（--oidc-grant）。把这一页发给他们就够了。", "Your company account is proven. Ask whoever administers company accounts to put you into a group that may use the Customer Center, or its operator to give a group of yours a role (--oidc-grant). This page is all they need."},
	"company.none":         {"角色由账号里的“{claim}”决定，你的账号里没有它。", "What decides is “{claim}” of the account; yours has none."},
	"company.some":         {"角色由账号里的“{claim}”决定，你的账号里是：", "What decides is “{claim}” of the account; yours has:"},
	"company.more":         {"还有 {n} 个", "and {n} more"},

	"company.out":        {"已退出客户中心", "You are signed out of the Customer Center"},
	"company.out_text":   {"正在退出公司账号。如果没有自动继续，请点下面的按钮。", "Signing out of your company account, too. If nothing happens, press the button."},
	"company.out_button": {"退出公司账号", "Sign out of the company account"},
	"company.out_here":   {"只退出客户中心", "Stay signed in there"},
}
