package domain

// The channels through which people reach a company. The names are stored and never change.
const (
	ChannelApp    = "app"
	ChannelWeb    = "web"
	ChannelWechat = "wechat"
	ChannelWeibo  = "weibo"
	ChannelPhone  = "phone"
	ChannelAPI    = "api"
)

// Channels returns every channel, in the order in which people see them.
func Channels() []string {
	return []string{ChannelApp, ChannelWeb, ChannelWechat, ChannelWeibo, ChannelPhone, ChannelAPI}
}

// IsChannel reports whether name is one of Channels.
func IsChannel(name string) bool {
	switch name {
	case ChannelApp, ChannelWeb, ChannelWechat, ChannelWeibo, ChannelPhone, ChannelAPI:
		return true
	}
	return false
}

// Who starts, ends and writes in sessions. The names are stored and never change.
const (
	PartyCustomer = "customer"
	PartyAgent    = "agent"
	PartySystem   = "system"
)
