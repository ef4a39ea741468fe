package pages

import (
	"testing"
	"time"

	"customercenter/api"
)

func TestMoments(t *testing.T) {
	noon := time.Date(2026, 11, 22, 6, 5, 0, 0, time.UTC)
	p := &Pages{Config: Config{Now: func() time.Time { return noon }}}
	for _, c := range []struct {
		distance      time.Duration
		zh, en, exact string
	}{
		{0, "刚刚", "just now", "2026-11-22 14:05"},
		{-time.Minute, "1 分钟前", "1 min ago", "2026-11-22 14:04"},
		{-59 * time.Minute, "59 分钟前", "59 min ago", "2026-11-22 13:06"},
		{-15 * time.Hour, "15 小时前", "15 h ago", "2026-11-21 23:05"},
		{-6 * 24 * time.Hour, "6 天前", "6 days ago", "2026-11-16 14:05"},
		{-7 * 24 * time.Hour, "2026-11-15 14:05", "2026-11-15 14:05", "2026-11-15 14:05"},
		{3 * 24 * time.Hour, "3 天后", "in 3 days", "2026-11-25 14:05"},
		{time.Hour, "1 小时后", "in 1 h", "2026-11-22 15:05"},
	} {
		for l, want := range map[language]string{chinese: c.zh, english: c.en} {
			v := &visit{p: p, speech: speechIn(l), own: &api.Settings{TimeZone: "Asia/Shanghai"}}
			at := noon.Add(c.distance)
			if got := v.moment(&at); got.Relative != want || got.Exact != c.exact {
				t.Errorf("%s: got %+v, want %s and %s", c.distance, got, want, c.exact)
			}
		}
	}
	if (&visit{}).moment(nil) != nil {
		t.Error("no time is told")
	}
}

func TestAvatars(t *testing.T) {
	for name, want := range map[string]string{"晚风不晚🌙": "晚", "zoe": "Z", "🌙 moon": "M", "": "·", "***": "·", "7up": "7"} {
		if got := avatarOf(name); got.Letter != want || got.Hue < 1 || got.Hue > 6 || got != avatarOf(name) {
			t.Errorf("%q: %+v", name, got)
		}
	}
}
