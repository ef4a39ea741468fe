package pages

import "customercenter/api"

// iconOfChannel is the icon of a channel.
func iconOfChannel(channel string) string {
	switch channel {
	case "app", "web", "wechat", "weibo":
		return channel
	case "phone":
		return "call"
	}
	return "link"
}

// allAssociations are the connected accounts and those that were disconnected: customers and sessions came through them, too.
func (v *visit) allAssociations() ([]api.Association, error) {
	var list api.List[api.Association]
	err := v.get("/v1/associations?removed=true", &list)
	return list.Items, err
}

// associationNames are the names of all of them.
func (v *visit) associationNames() (map[int]string, error) {
	all, err := v.allAssociations()
	names := make(map[int]string, len(all))
	for _, a := range all {
		names[a.ID] = a.Name
	}
	return names, err
}
