// Package property is the language in which Offers and Demands describe
// themselves and each other: property sets, constraints on them, and the
// three-valued matching of the two. It is pure: no clocks, no I/O.
//
// An Offer states properties of a Provider and asks, by a constraint, for
// properties of a Demand; a Demand does the same the other way round. They
// match if both constraints are met:
//
//	demand, err := property.ParseParty(`{"golem.node.debug.subnet":"public"}`, "(golem.runtime.name=vm)")
//	offer, err := property.ParseParty(`{"golem.runtime.name":"vm"}`, "(golem.node.debug.subnet=public)")
//	property.Match(demand, offer) // property.Yes
//
// Match and Constraint.Eval give a verdict and are made for millions of calls;
// Compare and Constraint.Resolve add what is missing to decide; Explain says
// why, clause by clause, in sentences. Sets and Constraints are parsed once,
// immutable, and safe for concurrent use. The scripts in testdata define the
// language case by case.
//
// # Property sets
//
// A property set is a JSON object whose names are dotted paths. It may be
// nested; Flatten gives its canonical flat text, and Expand nests it again.
// Where a path has a value and members, nested JSON keeps the value as "@tag":
//
//	{"model":{"@tag":"linear","linear":{"coeffs":[0.1,0.0]}}}
//	{"model":"linear","model.linear.coeffs":[0.1,0.0]}
//
// The flat text is hashed into identifiers and sent to other nodes. The text of
// others is opaque: Set.Text returns it byte for byte, and numbers keep their
// form (0.0 is not 0). The empty set is the text {"":{}}.
//
// # Types
//
// JSON makes strings, numbers (64-bit floats in comparisons), booleans and
// lists. The language also knows versions (semver.org, build metadata ignored),
// date-times (RFC 3339, compared as instants), decimals of any length, and
// implicit properties, which are stated without a value. JSON cannot express
// these; a suffix in the constraint makes a string count as one of them:
//
//	(golem.runtime.version$v>=0.5.0)     a version
//	(valid.until$t>2025-01-01T00:00:00Z) a date-time
//	(price$d<=0.000000000000000001)      a decimal
//
// Null, objects (empty ones survive flattening), and lists that contain either
// are absent for constraints; agents can still read them from the Set.
//
// # Constraints
//
// A constraint is a filter in a notation like LDAP's:
//
//	filter   = "()" / ws "(" ws content ws ")" ws
//	content  = "&" ws *filter        ; all of them
//	         / "|" ws *filter        ; any of them
//	         / "!" ws filter         ; not this one
//	         / attr "=*"             ; is stated
//	         / attr op value         ; compares so
//	attr     = name [ "[" aspect "]" ] [ "$v" / "$t" / "$d" ]
//	op       = "=" / "<=" / "<" / ">=" / ">"
//	value    = *(any byte but ")")
//	ws       = *(SP / TAB / CR / LF)
//
// Choices are tried in that order. A name has any characters but [ ] $ = < > ~;
// blanks within parentheses belong to names and values, save those in front of
// a name. "()" asks for nothing, "(&)" too, "(|)" cannot be met, and the empty
// text is an error. There is no operator for unequal: write (!(a=b)).
//
// The value is read as the property's type, whatever it is:
//
//	string     =  the same bytes, or a fit if the value has wildcards (a=vm*);
//	           < <= > >= by bytes, so "10" is less than "9"
//	number     as floats; decimal, date-time, version in their own order
//	boolean    = true or = false, no order
//	list       = [a,b] if as many elements and each of a, b among them,
//	           = a if any element equals a; no order
//
// # Three values
//
// A comparison is Yes or No, or Undefined if its property is missing, has no
// value, lacks the aspect, or cannot be read as the type of the suffix. A value
// that cannot be read as the property's type is No: (cores=many) is false where
// cores is a number. Presence is never Undefined.
//
// "!" turns Yes and No around; "&" is No if any part is, else Undefined if any
// part is, else Yes; "|" is Yes if any part is, else Undefined if any part is,
// else No. Of two Parties the verdict is Undefined if either side's is, Yes if
// both are, else No. Only Yes is a match.
//
// # Dialects
//
// Compatible gives the verdicts of upstream, so that two nodes never disagree
// about a match. Its oddities:
//
//   - Text after the first filter is ignored: (a=1)(b=2) asks for a only.
//   - A value cannot begin with a wildcard: (a=*foo) is an error, as "=*" was
//     already read as presence.
//   - (a!=b) looks for a property named "a!", (a > 5) for "a ", and (foo)(a=b)
//     for "foo)(a". Such properties are missing, and the verdict is Undefined.
//   - A value with a wildcard is a regular expression in which * means .*, so
//     a dot fits any character and + ? [ ] { } | ( ^ $ \ are alive. A broken
//     expression fits nothing. Without a wildcard all of them are plain.
//   - Values cannot contain ")", as nothing can be escaped.
//   - Strings are compared in their JSON-escaped form, blanks after the opening
//     quote dropped: a"b is met by (x=a\"b). The form is the one upstream
//     prints, which escapes only quotes, backslashes and control characters.
//     Strings with control characters other than newline and tab are absent,
//     and so are lists with such a string.
//   - List equality counts elements but does not pair them: [a,a] is met by
//     ["a","b"].
//
// Strict refuses all those that can only be mistakes, matches wildcards as
// wildcards anywhere in a value, reads escapes of the form \29 in values, and
// compares the decoded text of strings. Its extensions are for constraints that
// stay within tools that use it; upstream does not understand them.
//
// Expressions are run by Go's regexp package. It agrees with upstream's engine
// except in corners: \d, \w and \b know only ASCII here, and an unfinished
// repetition such as a{ is literal.
//
// # Limits
//
// Parsers refuse text beyond the Max constants with a *LimitError and any other
// wrong text with a *SyntaxError that has the position. Nothing in this package
// panics on foreign text, and the largest accepted pair of a Set and a
// Constraint is evaluated in a fraction of a second.
package property
