package traffic

import (
	"strconv"
	"strings"
)

// surname is a Chinese family name and how it is written in user names.
type surname struct{ hanzi, pinyin string }

// surnameWeights lists family names with their share of the population of China in hundredths of a percent, after the name
// reports of the Ministry of Public Security (rounded).
const surnameWeights = `
王 wang 710 李 li 700 张 zhang 670 刘 liu 510 陈 chen 460 杨 yang 310 黄 huang 230 赵 zhao 205 吴 wu 205 周 zhou 200
徐 xu 150 孙 sun 145 马 ma 132 朱 zhu 126 胡 hu 121 林 lin 120 郭 guo 115 何 he 112 高 gao 103 罗 luo 96
郑 zheng 93 梁 liang 87 谢 xie 80 宋 song 78 唐 tang 73 许 xu 70 邓 deng 67 韩 han 66 冯 feng 62 曹 cao 60
彭 peng 58 曾 zeng 58 肖 xiao 56 田 tian 53 董 dong 51 潘 pan 50 袁 yuan 49 蔡 cai 48 蒋 jiang 47 余 yu 46
于 yu 45 杜 du 45 叶 ye 44 程 cheng 43 魏 wei 42 苏 su 42 吕 lv 41 丁 ding 40 任 ren 38 卢 lu 37
姚 yao 36 沈 shen 36 钟 zhong 35 姜 jiang 34 崔 cui 33 谭 tan 33 陆 lu 33 范 fan 32 汪 wang 32 廖 liao 31
石 shi 30 金 jin 30 韦 wei 29 贾 jia 28 夏 xia 27 付 fu 27 方 fang 26 邹 zou 25 熊 xiong 24 白 bai 24
孟 meng 23 秦 qin 23 邱 qiu 22 侯 hou 22 江 jiang 22 尹 yin 20 薛 xue 20 闫 yan 20 段 duan 18 雷 lei 18
龙 long 17 黎 li 17 史 shi 17 陶 tao 16 贺 he 16 毛 mao 16 郝 hao 16 顾 gu 15 龚 gong 15 邵 shao 15
万 wan 15 覃 qin 14 武 wu 14 钱 qian 14 戴 dai 13 严 yan 13 莫 mo 13 孔 kong 13 向 xiang 12 常 chang 12
汤 tang 12 康 kang 11 易 yi 11 乔 qiao 11 赖 lai 11 文 wen 11 葛 ge 10 牛 niu 10 樊 fan 10 施 shi 10`

// rareSurnames share what the list above leaves, each as likely as the others.
const rareSurnames = `殷 yin 安 an 倪 ni 齐 qi 伍 wu 洪 hong 温 wen 芦 lu 颜 yan 季 ji 俞 yu 章 zhang 鲁 lu 申 shen 庄 zhuang
尚 shang 焦 jiao 柳 liu 邢 xing 岳 yue 梅 mei 庞 pang 左 zuo 童 tong 关 guan 聂 nie 裴 pei 祝 zhu 霍 huo 阮 ruan
纪 ji 欧 ou 翟 zhai 舒 shu 符 fu 路 lu 苗 miao 耿 geng 成 cheng 詹 zhan 凌 ling 鲍 bao 骆 luo 辛 xin 管 guan
甘 gan 牟 mu 鞠 ju 卓 zhuo 宁 ning 涂 tu 游 you 柴 chai 车 che 房 fang 边 bian 谷 gu 祁 qi 冉 ran 郎 lang 蓝 lan`

// surnameTable has ten thousand slots, so that one draw picks a family name with its share.
var surnameTable = func() []surname {
	table := make([]surname, 0, 10_000)
	words := strings.Fields(surnameWeights)
	for i := 0; i < len(words); i += 3 {
		weight, err := strconv.Atoi(words[i+2])
		if err != nil {
			panic("traffic: surnameWeights: " + err.Error())
		}
		for range weight {
			table = append(table, surname{words[i], words[i+1]})
		}
	}
	rare := strings.Fields(rareSurnames)
	for i := 0; len(table) < 10_000; i += 2 {
		table = append(table, surname{rare[i%len(rare)], rare[i%len(rare)+1]})
	}
	return table
}()

// compoundSurnames have two characters; with a given name of two they make the few names of four.
var compoundSurnames = []surname{
	{"欧阳", "ouyang"}, {"司马", "sima"}, {"上官", "shangguan"}, {"诸葛", "zhuge"}, {"皇甫", "huangfu"}, {"尉迟", "yuchi"}, {"公孙", "gongsun"},
	{"慕容", "murong"}, {"令狐", "linghu"}, {"夏侯", "xiahou"}, {"端木", "duanmu"}, {"东方", "dongfang"}, {"司徒", "situ"}, {"宇文", "yuwen"},
}

// givenCharacters are the characters of given names; the first are more frequent than the last (see givenName).
var givenCharacters = []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红建文辉力鹏婷雪梅琳晨宇浩轩子梓欣怡佳雨诗思梦嘉俊" +
	"豪博睿泽哲瑞天一奕航翔飞龙凤兰莉莹颖慧巧雅蕾薇菲岚苑婕馨瑗琰韵融园艺咏卿聪澜纯毓悦昭冰爽琬茗羽希宁育滢馥筠柔竹霭凝晓欢霄枫芸菁" +
	"寒伊亚宜可姬舒影荔枝丹蓉眉君琴蕊薄青倩云莲真环荣爱妹香月莺媛珠玲芬燕彩春菊勤珍贞艾松柏森林海山河川江波涵志国庆东南西北中兴旺盛昌隆")

var latinFirst = []string{
	"Alice", "Amy", "Andy", "Anna", "Ben", "Bella", "Cathy", "Chris", "Cindy", "Daniel", "David", "Emily", "Emma", "Eric", "Fiona", "Frank", "Grace", "Henry",
	"Ivy", "Jack", "James", "Jane", "Jason", "Jenny", "Jessica", "José", "Kevin", "Leo", "Lily", "Linda", "Lucas", "Lucy", "Maria", "Mark", "Michael", "Mia",
	"Nancy", "Nicole", "Olivia", "Oscar", "Peter", "Rachel", "Robert", "Rose", "Sam", "Sarah", "Sophie", "Steven", "Thomas", "Tina", "Tony", "Vivian", "William", "Zoë",
}

var latinLast = []string{
	"Anderson", "Brown", "Chan", "Clark", "Davis", "Evans", "Fernández", "García", "Green", "Hall", "Johnson", "Jones", "Kim", "King", "Lam", "Lee", "Leung", "Martin",
	"Miller", "Moore", "Müller", "Ng", "Nguyen", "O'Brien", "Park", "Robinson", "Sato", "Schmidt", "Silva", "Smith", "Suzuki", "Tan", "Taylor", "Walker", "White", "Wilson", "Wong", "Young",
}

// Nicknames are put together from these.
var (
	nickAdjectives = []string{
		"阳光", "快乐", "安静", "淡淡", "温柔", "奔跑", "迷路", "可爱", "微笑", "孤独", "勇敢", "懒懒", "爱笑", "失眠", "傻傻", "幸运", "贪吃", "月下", "深海", "南方", "北城", "夏日", "午后", "云端",
	}
	nickNouns = []string{
		"小猪", "猫咪", "蜗牛", "向日葵", "柠檬", "西瓜", "海豚", "星星", "月亮", "少年", "姑娘", "大叔", "旅人", "鱼", "熊猫", "兔子", "咖啡", "豆浆", "小太阳", "风", "雨巷", "麦田", "包子", "橘子",
	}
	nickWords = []string{
		"往事随风", "岁月静好", "知足常乐", "一生有你", "平安是福", "天道酬勤", "云淡风轻", "海阔天空", "難得糊塗", "花开富贵", "不忘初心", "随遇而安", "小确幸", "吃货一枚", "路过人间", "等风来", "半夏微凉", "厚德载物",
	}
	nickLatin = []string{"sunny", "Kiki", "cc", "Momo", "lucky", "Coco", "nana", "Jojo", "sky", "Vivi", "Max", "Leo", "angel", "Yoyo", "DD", "Ruby"}
	nickTrade = []string{"建材", "服装批发", "二手车", "母婴", "水果", "装修", "茶叶", "数码", "美妆", "房产"}
	nickEmoji = []string{"🌸", "🐱", "😊", "🍀", "✨", "🌙", "🐷", "❤️", "🎀", "👨‍👩‍👧", "🔥", "🌻", "🍓", "🇨🇳", "💪🏻"}
)

var (
	companyCities = []string{"北京", "上海", "广州", "深圳", "杭州", "成都", "武汉", "南京", "苏州", "西安", "重庆", "天津", "青岛", "长沙", "厦门", "郑州"}
	companyNames  = []string{"华信", "恒通", "天宇", "鼎盛", "博雅", "汇丰达", "新源", "中科创", "联想家", "瑞祥", "金石", "云帆", "海纳", "明德", "众合", "优品", "智联云", "宏达"}
	companyTrades = []string{"科技", "贸易", "网络技术", "电子商务", "物流", "文化传媒", "教育咨询", "实业", "医疗器械", "餐饮管理", "建筑工程", "信息技术"}
	companyForms  = []string{"有限公司", "有限公司", "股份有限公司", "有限责任公司"}
)

// mobilePrefixes are the first three digits of Chinese mobile numbers.
var mobilePrefixes = []string{
	"130", "131", "132", "133", "134", "135", "136", "137", "138", "139", "150", "151", "152", "153", "155", "156", "157", "158", "159", "166", "176", "177", "178",
	"180", "181", "182", "183", "185", "186", "187", "188", "189", "191", "198", "199",
}
