package projections

import (
	"regexp"
	"strings"
)

// Browsers call themselves by the names of those they descend from, so the most special name comes first.
var browsers = []struct{ mark, name string }{
	{"MicroMessenger/", "WeChat"}, {"DingTalk/", "DingTalk"}, {"AlipayClient/", "Alipay"}, {"Weibo", "Weibo"},
	{"QQBrowser/", "QQ Browser"}, {"UCBrowser/", "UC Browser"}, {"HuaweiBrowser/", "Huawei Browser"}, {"MiuiBrowser/", "Mi Browser"},
	{"SamsungBrowser/", "Samsung Internet"}, {"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"},
	{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Version/", "Safari"}, {"Trident/", "Internet Explorer"},
}

var systems = []struct{ mark, name string }{
	{"HarmonyOS", "HarmonyOS"}, {"OpenHarmony", "HarmonyOS"}, {"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iPadOS"},
	{"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
}

var digits = regexp.MustCompile(`^[0-9]+`)

// software names browser and system of a user agent for people, "Chrome 130, Windows"; empty if neither is known.
func software(agent string) string {
	var parts []string
	for _, b := range browsers {
		if i := strings.Index(agent, b.mark); i >= 0 {
			name := b.name
			if strings.HasSuffix(b.mark, "/") && b.name != "Internet Explorer" { // its mark counts something else
				if version := digits.FindString(agent[i+len(b.mark):]); version != "" {
					name += " " + version
				}
			}
			parts = append(parts, name)
			break
		}
	}
	for _, s := range systems {
		if strings.Contains(agent, s.mark) {
			parts = append(parts, s.name)
			break
		}
	}
	return strings.Join(parts, ", ")
}
