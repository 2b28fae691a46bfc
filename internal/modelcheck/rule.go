package modelcheck

import "fmt"

// A Property is what must hold in every order of events.
type Property string

// The properties.
const (
	// PropertyPermitted says that no action arrives in a phase that denies it.
	PropertyPermitted Property = "P1"
	// PropertyFresh says that nobody acts on a belief older than its time to live.
	PropertyFresh Property = "P3"
	// PropertyOrder says that a process never goes back to an earlier epoch.
	PropertyOrder Property = "P4"
	// PropertyPairing says that nobody acts in a pairing that the contract forbids.
	PropertyPairing Property = "P7"
	// PropertyGrace says that what is still sent under an earlier phase arrives
	// within the time of grace.
	PropertyGrace Property = "P8"
	// PropertyAgreement says that everyone can always come to agree again.
	PropertyAgreement Property = "AG EF agreement"
	// PropertyEnd says that there is a way on which a subject and those that its
	// guards read come to their last phases.
	PropertyEnd Property = "EF end"
	// PropertyWrites says that no write is taken after one with a larger token.
	PropertyWrites Property = "P2w"
	// PropertyDeposed says that no write is taken from who has been deposed, once
	// the successor leads.
	PropertyDeposed Property = "P2s"
	// PropertyAlone says that nobody comes to lead while another still may act by
	// its own clock.
	PropertyAlone Property = "P2a"
	// PropertyLeader says that somebody can always come to lead again.
	PropertyLeader Property = "AG EF leader"
)

// Says is the property in words.
func (p Property) Says() string {
	switch p {
	case PropertyPermitted:
		return "no action arrives in a phase that denies it"
	case PropertyFresh:
		return "nobody acts on a belief older than its time to live"
	case PropertyOrder:
		return "no process goes back to an earlier epoch"
	case PropertyPairing:
		return "nobody acts in a pairing that the contract forbids"
	case PropertyGrace:
		return "what is still sent under an earlier phase arrives within the time of grace"
	case PropertyAgreement:
		return "from every state, everyone can come to agree again"
	case PropertyEnd:
		return "there is a way on which all subjects come to their last phases"
	case PropertyWrites:
		return "no write is taken after one with a larger token"
	case PropertyDeposed:
		return "no write of a deposed leader is taken once its successor leads"
	case PropertyAlone:
		return "nobody begins to lead while another may still act by its own clock"
	case PropertyLeader:
		return "from every state, somebody can come to lead again"
	}
	return string(p)
}

// A Rule is a rule of the protocol that can be left out, to see what it is for.
type Rule string

// The rules.
const (
	RuleTTL     Rule = "belief-ttl"
	RuleSending Rule = "age-from-sending"
	RulePush    Rule = "push-keeps-age"
	RuleFloor   Rule = "floor-outlives-belief"
	RuleOrder   Rule = "epoch-order"
	RuleQuiesce Rule = "ack-when-quiesced"
	RuleAcks    Rule = "acks"
	RuleAwait   Rule = "await"
	RuleFlight  Rule = "await-flight"
	RuleSettle  Rule = "settle"
	RuleRestart Rule = "restart-is-another"
	RuleRoll    Rule = "roll-outlives-mediator"
	RuleSeal    Rule = "seal"
	RuleFence   Rule = "fence"
	RuleRenewal Rule = "deadline-from-sending"
)

// Rules lists the rules that can be left out, with what each says.
func Rules() []struct {
	Rule Rule
	Says string
} {
	return []struct {
		Rule Rule
		Says string
	}{
		{RuleTTL, "a belief ends when it is not confirmed"},
		{RuleSending, "a belief's age counts from when its confirm was sent"},
		{RulePush, "a push does not renew a belief"},
		{RuleFloor, "the highest epoch seen outlives the belief"},
		{RuleOrder, "older news than the newest seen is dropped"},
		{RuleQuiesce, "news is acknowledged when nothing begun before is open"},
		{RuleAcks, "acknowledgements end a wait only when everyone's are in"},
		{RuleAwait, "the producer waits between the commit and the act"},
		{RuleFlight, "the wait includes the flight of what was sent last"},
		{RuleSettle, "nothing new is announced or done before the last announcement has settled"},
		{RuleRestart, "a consumer that restarts is another one, and its old registration has to end"},
		{RuleRoll, "who may believe something stays registered when the mediator restarts"},
		{RuleSeal, "a new leader writes its token to the resource before it acts"},
		{RuleFence, "the resource checks tokens"},
		{RuleRenewal, "a holder's deadline counts from when its renewal was sent"},
	}
}

// ParseRule accepts the name of a rule.
func ParseRule(name string) (Rule, error) {
	for _, r := range Rules() {
		if string(r.Rule) == name {
			return r.Rule, nil
		}
	}
	return "", fmt.Errorf("there is no rule %q", name)
}
