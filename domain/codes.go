package domain

import "time"

// Codes of refusals that the aggregates answer with. Besides these there is <FIELD>_TOO_LONG for each profile field.
const (
	CodeValidation          = "VALIDATION"            // the value at Location breaks the rule named by the argument "rule"
	CodeNotFound            = "NOT_FOUND"             // what the command is about does not exist
	CodeConflict            = "CONFLICT"              // what the command would begin exists already
	CodeCustomerExists      = "CUSTOMER_EXISTS"       // the identity belongs to a customer already
	CodeCustomerTouched     = "CUSTOMER_TOUCHED"      // the customer is not as the import has left them
	CodeIDInvalid           = "ID_INVALID"            // the external id is not what its channel hands out
	CodeTagExists           = "TAG_EXISTS"            // another tag has that name
	CodeTagUnknown          = "TAG_UNKNOWN"           // the tag is not in the catalogue
	CodeGroupExists         = "GROUP_EXISTS"          // another group has that name
	CodeGroupUnknown        = "GROUP_UNKNOWN"         // there is no such group
	CodeViewExists          = "VIEW_EXISTS"           // another view has that name
	CodeAutoMessageExists   = "AUTO_MESSAGE_EXISTS"   // another auto message has that name
	CodeAutoMessageStarted  = "AUTO_MESSAGE_STARTED"  // the auto message was started, so text and audience are fixed
	CodeAutoMessageRunning  = "AUTO_MESSAGE_RUNNING"  // the auto message is being sent; it has to be stopped first
	CodeChannelNotReached   = "CHANNEL_NOT_REACHED"   // auto messages do not go out through the customer's channel
	CodeLimitReached        = "LIMIT_REACHED"         // there are as many as the argument "max" already
	CodeForbidden           = "FORBIDDEN"             // it is another's
	CodeFieldExists         = "FIELD_EXISTS"          // another field has that key or is called the same
	CodeFieldInUse          = "FIELD_IN_USE"          // what the argument "uses" lists speaks of the field or the option
	CodeTagInUse            = "TAG_IN_USE"            // the running auto messages in the argument "uses" are sent to others without the tag
	CodeGroupInUse          = "GROUP_IN_USE"          // the same of a group
	CodeAssociationExists   = "ASSOCIATION_EXISTS"    // the account is connected already
	CodeAssociationGone     = "ASSOCIATION_GONE"      // the association was removed
	CodeSessionOpen         = "SESSION_OPEN"          // the customer has an unfinished session
	CodeSessionEnded        = "SESSION_ENDED"         // the session is closed or aborted
	CodeSessionTaken        = "SESSION_TAKEN"         // an agent accepted the session already
	CodeSessionNotAccepted  = "SESSION_NOT_ACCEPTED"  // the session waits, or was aborted waiting
	CodeAlreadyRated        = "ALREADY_RATED"         // the session has its rating
	CodeAlreadyBlacklisted  = "ALREADY_BLACKLISTED"   // the customer is on the blacklist
	CodeNotBlacklisted      = "NOT_BLACKLISTED"       // the customer is not on the blacklist
	CodeCustomerBlacklisted = "CUSTOMER_BLACKLISTED"  // no session is opened with a customer on the blacklist
	CodeChannelWindowClosed = "CHANNEL_WINDOW_CLOSED" // the channel takes no more messages to the customer
	CodeOccurredInFuture    = "OCCURRED_IN_FUTURE"    // the event says it happens over MaxClockLead from now
	CodeNotEntitled         = "NOT_ENTITLED"          // the tenant has not got the argument "entitlement"
	CodeJobStatus           = "JOB_STATUS"            // the job, in the argument "status", cannot do that
	CodeExportExpired       = "EXPORT_EXPIRED"        // the file was deleted, as its time is over
	CodeChangedSince        = "CHANGED_SINCE"         // what was done was changed again, and so is not undone
	CodeHeaderUnknown       = "HEADER_UNKNOWN"        // no column is called as the argument "column", a number, is
	CodeHeaderTwice         = "HEADER_TWICE"          // the argument "column", a number, is there already
	CodeHeaderMissing       = "HEADER_MISSING"        // the argument "column", a name, has to be there
)

// Codes of rows of an import that were refused, besides CodeCustomerExists, CodeCustomerErased, CodeIDInvalid, CodeTagUnknown and <FIELD>_TOO_LONG.
const (
	CodeIDRequired          = "ID_REQUIRED"
	CodeIDTwice             = "ID_DUPLICATE_IN_FILE" // the row in the argument "row" has it, too
	CodeAssociationRequired = "ASSOCIATION_REQUIRED"
	CodeAssociationUnknown  = "ASSOCIATION_UNKNOWN" // never given, or removed
	CodeAssociationNotApp   = "ASSOCIATION_NOT_APP" // of another channel
	CodeValueInvalid        = "VALUE_INVALID"       // breaks the rule in the argument "rule"
)

// Codes of jobs that have failed.
const (
	CodeExportTooLarge = "EXPORT_TOO_LARGE" // larger than the argument "max" by more than the argument "over", in bytes
	CodeFileGone       = "FILE_GONE"        // what was uploaded is not kept any more
	CodeCustomerErased = "CUSTOMER_ERASED"  // somebody was erased who is in the file, or may be; of a row: whom it names
	CodeInternal       = "INTERNAL"         // the program's fault: it was tried again and again
)

// Rules that a refusal with CodeValidation names in its argument "rule".
const (
	RuleRequired   = "required"   // a value must be given
	RuleTooLong    = "too_long"   // longer than the argument "max", in characters
	RuleTooMany    = "too_many"   // more values than the argument "max"
	RuleCharacters = "characters" // control characters, NUL or broken UTF-8, or a character that is not allowed here
	RuleFormat     = "format"     // not of the form that is expected
	RuleOneOf      = "one_of"     // not one of the values that exist
	RuleRange      = "range"      // outside the arguments "min" to "max"
	RuleFuture     = "future"     // an instant that has passed
	RuleReadOnly   = "read_only"  // never changes
	RuleConfirm    = "confirm"    // not what has to be typed to confirm it
	RuleTooShort   = "too_short"  // shorter than the argument "min", in characters
	RuleTooDeep    = "too_deep"   // inside more levels than the argument "max"
	RuleUnknown    = "unknown"    // no such member, field or operator here
	RuleDuplicate  = "duplicate"  // a member that was given before
	RuleDigits     = "digits"     // a number of more digits than the argument "max"
	RuleOrder      = "order"      // the first of two instants lies after the second
	RuleAscending  = "ascending"  // the first of two numbers is greater than the second
	RuleTime       = "time"       // not an instant as RFC 3339 writes it
	RuleUUID       = "uuid"       // not an id
	RuleJSON       = "json"       // not JSON
	RuleEncoding   = "encoding"   // not valid UTF-8
	RuleTypeString = "type_string"
	RuleTypeNumber = "type_number"
	RuleTypeBool   = "type_bool"
	RuleTypeArray  = "type_array"
	RuleTypeObject = "type_object"
)

// Invalid returns a refusal with CodeValidation: the value at location breaks the rule.
func Invalid(location, rule string) *Refusal {
	return Refuse(CodeValidation).At(location).With("rule", rule)
}

// TooLong returns a refusal with CodeValidation and RuleTooLong.
func TooLong(location string, max int) *Refusal {
	return Invalid(location, RuleTooLong).With("max", max)
}

// MaxClockLead is how far ahead of ours the clock of a channel may run.
const MaxClockLead = 5 * time.Minute

// CheckOccurred refuses, with CodeOccurredInFuture, what says it happened more than MaxClockLead after now.
func CheckOccurred(occurredAt, now time.Time) error {
	if occurredAt.Sub(now) > MaxClockLead {
		return Refuse(CodeOccurredInFuture).At("occurred_at").With("max_minutes", int(MaxClockLead/time.Minute))
	}
	return nil
}
