package pages

var perDayWords = words{
	"per_day.title.customers": {"最近 30 天的新客户", "New customers, last 30 days"},
	"per_day.title.sessions":  {"最近 30 天的会话", "Sessions, last 30 days"},
	"per_day.head.customers":  {"新客户", "New customers"},
	"per_day.head.sessions":   {"会话", "Sessions"},
	"per_day.none.customers":  {"最近 30 天没有新客户", "No new customers in the last 30 days"},
	"per_day.none.sessions":   {"最近 30 天没有会话", "No sessions in the last 30 days"},
	"per_day.show":            {"显示图表", "Chart"},
	"per_day.day":             {"日期", "Day"},
	"per_day.sum":             {"合计", "In all"},
	"per_day.today":           {"今天", "Today"},
	"per_day.most":            {"最多（{day}）", "Most ({day})"},
	"per_day.text":            {"：合计 {sum}，今天 {today}，最多的一天 {day} 有 {most}", ": {sum} in all, {today} today, most on {day} with {most}"},
}
