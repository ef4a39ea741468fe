package pages

// catalogueWords is what pages of catalogues share: histories of their entries, and lists that are put in order.
var catalogueWords = words{
	"history.title":  {"变更记录", "History"},
	"history.none":   {"还没有变更，一切都是初始设置。", "Nothing was changed yet: everything is as it came."},
	"history.older":  {"更早的变更", "Earlier changes"},
	"history.newest": {"回到最新", "Back to the latest"},
	"history.place":  {"位置", "Where this is"},

	"sortable.grip": {"移动 {name}：按上下方向键", "Move {name}: arrow up or down"},
	"sortable.help": {"拖动，或按上下方向键", "Drag, or press arrow up or down"},
	"sortable.up":   {"上移 {name}", "Move {name} up"},
	"sortable.down": {"下移 {name}", "Move {name} down"},
	"sortable.said": {"{name}：第 {n} 位，共 {all} 位", "{name}: place {n} of {all}"},
}
