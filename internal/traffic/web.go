package traffic

import "strconv"

// addressBlock is the beginning of addresses that belong to a region.
type addressBlock struct{ prefix, region string }

var addressBlocks = []addressBlock{
	{"101.80", "中国 上海"}, {"114.80", "中国 上海"}, {"116.228", "中国 上海"}, {"114.242", "中国 北京"}, {"123.118", "中国 北京"}, {"221.216", "中国 北京"},
	{"113.65", "中国 广东 广州"}, {"119.129", "中国 广东 广州"}, {"113.87", "中国 广东 深圳"}, {"116.24", "中国 广东 深圳"}, {"115.192", "中国 浙江 杭州"}, {"125.118", "中国 浙江 杭州"},
	{"180.109", "中国 江苏 南京"}, {"222.92", "中国 江苏 苏州"}, {"118.112", "中国 四川 成都"}, {"171.208", "中国 四川 成都"}, {"219.140", "中国 湖北 武汉"}, {"27.16", "中国 湖北 武汉"},
	{"117.22", "中国 陕西 西安"}, {"106.80", "中国 重庆"}, {"117.10", "中国 天津"}, {"119.166", "中国 山东 青岛"}, {"175.0", "中国 湖南 长沙"}, {"117.30", "中国 福建 厦门"},
	{"1.192", "中国 河南 郑州"}, {"123.184", "中国 辽宁 沈阳"}, {"124.90", "中国 浙江 宁波"}, {"58.176", "中国 香港"}, {"8.38", "新加坡"}, {"73.162", "美国 California"},
}

var userAgents = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
	"Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/86.0.4240.198 Safari/537.36 QIHU 360SE",
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.53(0x18003531) NetType/WIFI Language/zh_CN",
	"Mozilla/5.0 (Linux; Android 14; V2309A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/116.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.50.2701 NetType/5G Language/zh_CN",
	"Mozilla/5.0 (Linux; Android 13; HUAWEI ALN-AL00) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/114.0.5735.196 HuaweiBrowser/15.0.4.312 Mobile Safari/537.36",
	"Mozilla/5.0 (Linux; U; Android 14; zh-cn; 23127PN0CC) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 XiaoMi/MiuiBrowser/18.7.1",
	"Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
}

// referrers are where visitors come from; a direct visit has none.
var referrers = []string{
	"", "", "https://www.baidu.com/s?wd=%E5%AE%A2%E6%9C%8D%E7%94%B5%E8%AF%9D", "https://www.baidu.com/link?url=mJb0kX", "https://cn.bing.com/", "https://www.so.com/s?q=%E9%80%80%E8%B4%A7",
	"https://www.sogou.com/", "https://shop.example.com/", "https://shop.example.com/product/1024.html", "https://shop.example.com/cart?from=home", "https://m.example.com/activity/1111", "https://www.zhihu.com/", "https://weibo.com/",
}

// newVisit draws a browser and where it is.
func newVisit(r *random) visit {
	block := pick(r, addressBlocks)
	return visit{
		ip:        block.prefix + "." + strconv.FormatUint(r.below(256), 10) + "." + strconv.FormatInt(r.between(1, 255), 10),
		region:    block.region,
		userAgent: pick(r, userAgents),
		referrer:  pick(r, referrers),
	}
}
