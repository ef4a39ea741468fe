package locale

// fields has what people call the fields, by the last part of their location.
var fields = map[string]text{
	"external_id":    {"ID", "ID"},
	"nickname":       {"nickname", "昵称"},
	"name":           {"name", "名字"},
	"phone":          {"phone", "手机"},
	"qq":             {"QQ", "QQ"},
	"wechat_id":      {"WeChat ID", "微信号"},
	"email":          {"email", "邮箱"},
	"company":        {"company", "公司"},
	"description":    {"description", "描述"},
	"tags":           {"tags", "客户标签"},
	"association_id": {"association ID", "关联ID"},
}
