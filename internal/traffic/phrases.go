package traffic

import (
	"strconv"
	"strings"
)

// topic is what a session is about. In the sentences {order} stands for an order number, {product} for a product, {amount} for a price.
type topic struct {
	openings []string // what the customer begins with
	customer []string // what the customer says later
	agent    []string // what the agent answers
}

var topics = []topic{
	{ // delivery
		openings: []string{
			"你好，我的订单 {order} 什么时候能到？", "快递三天没有更新了，帮我查一下 {order}", "怎么还没发货啊？？", "物流显示已签收，但是我没有收到货", "请问可以改收货地址吗？订单号 {order}", "在吗？查个快递",
		},
		customer: []string{
			"订单号是 {order}", "我急用的，能不能催一下", "昨天就说到了，今天还没到", "那大概哪天能到呢？", "放快递柜也没有通知我", "快递员电话打不通", "好的，那我再等等", "可以帮我转顺丰吗，我补差价", "地址没写错吧？", "都一个星期了😡",
		},
		agent: []string{
			"亲，请提供一下您的订单号，我帮您查询", "您的订单 {order} 已经到达本市分拨中心，预计明天送达", "已经帮您联系快递公司加急处理了", "非常抱歉给您带来不便，我们会尽快核实", "快递员稍后会与您电话联系，请保持电话畅通", "地址已经修改成功，请您核对", "仓库预计今天 18:00 前发出",
		},
	},
	{ // refunds
		openings: []string{
			"我要退货", "你好，{product}尺码不合适，想换大一码", "退款申请了 5 天还没到账，订单 {order}", "收到的东西是坏的！", "七天无理由可以退吗？", "申请退款，金额 {amount} 元",
		},
		customer: []string{
			"运费谁出？", "照片发你了，你看一下", "包装已经拆了还能退吗", "退到微信还是银行卡？", "不想换了，直接退款吧", "退货地址发我一下", "快递单号填好了", "跟页面描述的完全不一样", "算了，补偿一点我就不退了", "什么时候能到账？",
		},
		agent: []string{
			"亲，麻烦拍一下商品的照片，我们核实后马上处理", "已为您提交退款，{amount} 元将在 1-3 个工作日原路退回", "退货地址已发送到您的订单详情，请注意查看", "质量问题运费由我们承担，请您放心", "换货申请已通过，寄回后为您发出新的{product}", "非常抱歉，我们给您申请了一张 20 元优惠券作为补偿",
		},
	},
	{ // before buying
		openings: []string{
			"请问{product}还有货吗？", "这款{product}有什么颜色？", "现在下单有优惠吗", "{product}和上一代有什么区别？", "想批量采购{product}，有没有折扣？", "身高 170 体重 65 穿多大码", "hello 在吗，想咨询一下",
		},
		customer: []string{
			"能便宜点吗", "包邮吗？", "有现货的话我今天就拍", "保修多久？", "支持花呗分期吗", "还有别的颜色吗？白色的", "那我要两个", "有没有实物图", "双十一会降价吗？", "优惠券领不了", "👌", "我再考虑一下",
		},
		agent: []string{
			"亲，{product}现在有现货，今天下单今天发", "现在参加活动，到手价 {amount} 元哦～", "全国包邮（偏远地区除外），保修一年", "这边建议您选 L 码", "批量采购满 50 件可以享受 8.5 折", "支持 3/6/12 期免息", "您可以先加入购物车，活动期间随时可拍", "给您发一下实物图",
		},
	},
	{ // accounts and invoices
		openings: []string{
			"登录不了，一直提示密码错误", "怎么开发票？订单 {order}", "手机号换了，怎么改绑定", "会员积分怎么不见了？", "账号被冻结了怎么办", "请帮我开增值税专用发票，抬头和税号在图片里", "App 一打开就闪退",
		},
		customer: []string{
			"验证码收不到", "换了新手机", "公司名称和税号都发了", "电子发票就行", "发到我邮箱可以吗", "之前有 2000 多积分的", "重装过了，还是不行", "安卓 14", "按你说的试了，可以了", "太麻烦了吧",
		},
		agent: []string{
			"请问您注册时使用的手机号后四位是多少？", "验证码有 5 分钟延迟，请稍后再试", "电子发票已开具，请到订单详情中下载", "专票需要 3-5 个工作日寄出", "请您升级到最新版本后再试一下", "积分有效期为一年，您的积分已于上月到期", "已帮您解除冻结，请重新登录",
		},
	},
	{ // complaints
		openings: []string{
			"我要投诉！", "你们的售后太差了，打电话没人接", "为什么多扣了我 {amount} 元？", "承诺的赠品没有发", "上次的客服态度很不好", "再不解决我就打 12315 了",
		},
		customer: []string{
			"叫你们领导来", "每次都说尽快，到底是哪天？", "我有聊天记录", "请给我一个明确的答复", "等了半个小时了", "行吧，等你消息", "这个处理结果我不接受", "谢谢，态度还可以", "呵呵", "😤😤😤",
		},
		agent: []string{
			"非常理解您的心情，给您带来不好的体验十分抱歉", "我已经把您的问题升级给主管处理，24 小时内给您回复", "核实到多扣的 {amount} 元会在今天退回", "赠品会单独补发，单号稍后短信通知您", "请您消消气，我一定帮您跟进到底", "我们会对当时的会话进行质检并严肃处理",
		},
	},
}

// english is the topic of those who write English.
var english = topic{
	openings: []string{"Hi, is anyone there?", "Hello, where is my order {order}?", "Do you ship to Singapore?", "I'd like a refund for order {order}, please.", "The app says \"payment failed\" – what now?", "Hello! Does this come in black?"},
	customer: []string{"My order number is {order}.", "It's been over a week…", "Can I pay with PayPal?", "How long does it take?", "OK, thanks!", "Could you check again, please?", "I don't read Chinese, sorry :(", "Great, that works."},
	agent:    []string{"Hello, thank you for contacting us. Could I have your order number?", "Your order {order} has left our warehouse and should arrive within 5 days.", "The refund of {amount} CNY has been issued.", "Yes, we ship worldwide.", "您好，请稍等，我为您转接英文客服 (one moment, please)."},
}

var (
	waitingPhrases  = []string{"在吗？", "有人吗", "？？", "人工", "转人工客服", "怎么没人理我", "hello?", "等好久了", "请尽快回复", "急！！！"}
	greetings       = []string{"您好，很高兴为您服务，请问有什么可以帮您？", "亲，您好，客服在的，请讲～", "您好，让您久等了！", "Hi，您好，请问遇到什么问题了呢？", "您好，正在为您查看，请稍等"}
	farewells       = []string{"感谢您的咨询，祝您生活愉快！", "还有其他可以帮您的吗？没有的话稍后将结束会话，麻烦您对我的服务做个评价，谢谢！", "好的，有问题随时联系我们 😊", "如果长时间没有回复，会话将自动关闭哦"}
	thanks          = []string{"好的谢谢", "谢谢！", "嗯嗯，明白了", "没有了，谢谢", "ok", "知道了", "辛苦了🌹", "👍"}
	transferPhrases = []string{"您好，您的问题需要由专员处理，正在为您转接，请稍等", "这边帮您转接售后同事", "请稍候，马上为您转接技术支持"}
)

var products = []string{"蓝牙耳机", "羽绒服", "空气炸锅", "儿童手表", "扫地机器人", "保温杯", "运动鞋", "四件套", "电动牙刷", "路由器", "投影仪", "防晒霜", "奶粉", "行李箱", "机械键盘", "按摩椅"}

// Reasons and comments of ratings: what those say who are content, and those who are not.
var (
	goodReasons  = []string{"服务态度好", "回复及时", "专业", "问题已解决", "耐心"}
	badReasons   = []string{"回复太慢", "态度不好", "问题未解决", "不专业", "一直转接"}
	goodComments = []string{"很满意，解决得很快", "小姐姐很有耐心，点赞👍", "不错", "服务周到，下次还来", "Very helpful, thanks!", "五星好评"}
	badComments  = []string{"等了很久才有人回复", "没有解决我的问题", "一般般", "踢皮球，转了好几次", "希望改进一下", "再也不买了"}
)

// appendPhrase appends the sentence with its places filled in.
func appendPhrase(b []byte, r *random, sentence string) []byte {
	for {
		before, place, found := strings.Cut(sentence, "{")
		b = append(b, before...)
		if !found {
			return b
		}
		place, sentence, _ = strings.Cut(place, "}")
		switch place {
		case "order":
			b = strconv.AppendInt(b, r.between(202_600_000_000_000, 202_700_000_000_000), 10)
		case "product":
			b = append(b, pick(r, products)...)
		case "amount":
			b = strconv.AppendInt(b, r.between(9, 2000), 10)
			b = append(b, '.')
			b = strconv.AppendInt(b, r.between(10, 100), 10)
		}
	}
}
