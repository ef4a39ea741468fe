// Package catalog lists every event type of the domain.
package catalog

import (
	"customercenter/domain"
	"customercenter/domain/association"
	"customercenter/domain/automessage"
	"customercenter/domain/bulk"
	"customercenter/domain/customer"
	"customercenter/domain/exports"
	"customercenter/domain/field"
	"customercenter/domain/group"
	"customercenter/domain/imports"
	"customercenter/domain/projection"
	"customercenter/domain/session"
	"customercenter/domain/settings"
	"customercenter/domain/suppressed"
	"customercenter/domain/tag"
	"customercenter/domain/view"
)

// Events returns one zero value of every event type.
func Events() []domain.Event {
	return []domain.Event{
		settings.TimeZoneSet{}, settings.WeekStartSet{}, settings.AgentAccessSet{}, settings.OrderLinkSet{},
		settings.EntitlementGranted{}, settings.EntitlementRevoked{},
		association.Registered{}, association.Renamed{}, association.Removed{},
		tag.Created{}, tag.Renamed{}, tag.Deleted{},
		field.Added{}, field.Changed{}, field.Shown{}, field.Hidden{}, field.Enabled{}, field.Disabled{}, field.Reordered{}, field.Removed{},
		group.Defined{}, group.Revised{}, group.Renamed{}, group.VisibilitySet{}, group.Deleted{},
		view.Saved{}, view.Shared{}, view.Unshared{}, view.Deleted{},
		customer.Created{}, customer.ProfileChanged{}, customer.Tagged{}, customer.Untagged{},
		customer.SessionOpened{}, customer.SessionClosed{}, customer.Blacklisted{}, customer.Unblacklisted{}, customer.Withdrawn{},
		customer.Erased{}, customer.Disclosed{},
		session.Started{}, session.Accepted{}, session.Transferred{}, session.MessageRecorded{},
		session.WebAttributesRecorded{}, session.Rated{}, session.Closed{}, session.Aborted{},
		suppressed.MessageRecorded{},
		automessage.Defined{}, automessage.Changed{}, automessage.Started{}, automessage.Stopped{}, automessage.Deleted{},
		automessage.RecipientsAdded{},
		imports.Uploaded{}, imports.Started{}, imports.RowsRecorded{}, imports.Completed{}, imports.Failed{}, imports.Canceled{},
		imports.RevertStarted{}, imports.RowsReverted{}, imports.Reverted{},
		exports.Requested{}, exports.Completed{}, exports.Failed{}, exports.Canceled{}, exports.Downloaded{}, exports.Expired{},
		bulk.Started{}, bulk.Selected{}, bulk.Applied{}, bulk.Completed{}, bulk.Failed{}, bulk.Canceled{}, bulk.UndoStarted{}, bulk.Undone{},
		bulk.Reverted{},
		automessage.Sent{}, automessage.Withheld{}, automessage.Delivered{}, automessage.Read{}, automessage.Replied{},
		projection.EventsSkipped{},
	}
}
