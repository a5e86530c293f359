package property_test

import (
	"errors"
	"fmt"

	"github.com/golem-go/golem/property"
)

func Example() {
	demand, err := property.ParseParty(
		`{"golem.node.debug.subnet":"public","golem.srv.comp.expiration":1999999999000}`,
		`(&(golem.runtime.name=vm)(golem.inf.mem.gib>=0.5))`)
	if err != nil {
		fmt.Println(err)
		return
	}
	offer, err := property.ParseParty(
		`{"golem.runtime.name":"vm","golem.inf.mem.gib":8.0}`,
		`(&(golem.srv.comp.expiration>1700000000000)(golem.node.debug.subnet=public))`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(property.Match(demand, offer))
	// Output: yes
}

func ExampleFlatten() {
	text, err := property.Flatten([]byte(`{
		"golem": {
			"inf": {"mem": {"gib": 8.0}},
			"com": {"pricing": {"model": {"@tag": "linear", "linear": {"coeffs": [0.1, 0.0]}}}}
		}
	}`))
	fmt.Println(text, err)
	// Output: {"golem.com.pricing.model":"linear","golem.com.pricing.model.linear.coeffs":[0.1,0.0],"golem.inf.mem.gib":8.0} <nil>
}

func ExampleExpand() {
	text, err := property.Expand(`{"golem.com.scheme":"payu","golem.com.scheme.payu.payment-timeout-sec?":120}`)
	fmt.Println(string(text), err)
	// Output: {"golem":{"com":{"scheme":{"@tag":"payu","payu":{"payment-timeout-sec?":120}}}}} <nil>
}

func ExampleSet() {
	offer, err := property.ParseSet(`{"golem.com.pricing.model.linear.coeffs":[0.1,0.2,0.0],"golem.inf.cpu.cores":4,"golem.inf.mem.gib":8.0}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	cores, _ := offer.Int("golem.inf.cpu.cores")
	coeffs, _ := offer.Floats("golem.com.pricing.model.linear.coeffs")
	exact, _ := offer.Raw("golem.inf.mem.gib")
	_, stated := offer.String("golem.node.id.name")
	fmt.Println(cores, coeffs, exact, stated)
	// Output: 4 [0.1 0.2 0] 8.0 false
}

func ExampleParseConstraint_error() {
	_, err := property.ParseConstraint("(&(a=1)\n  (b~=2))")
	var syntax *property.SyntaxError
	if errors.As(err, &syntax) {
		fmt.Println(syntax.Line, syntax.Column, err)
	}
	// Output: 2 5 constraint: line 2, column 5: expected an operator (= < <= > >=), found "~"
}

func ExampleDialect_ParseConstraint() {
	set, _ := property.ParseSet(`{"file":"report (1).txt"}`)
	c, err := property.Strict.ParseConstraint(`(file=*\281\29.txt)`)
	fmt.Println(c.Eval(set), err)
	// Output: yes <nil>
}

func ExampleConstraint_Resolve() {
	c, _ := property.ParseConstraint("(&(cores>=2)(mem>=8)(gpu=a100))")
	known, _ := property.ParseSet(`{"cores":4}`)
	result := c.Resolve(known)
	fmt.Println(result.Verdict, result.Unresolved, result.Reduced)

	more, _ := property.ParseSet(`{"mem":16,"gpu":"a100"}`)
	fmt.Println(result.Reduced.Eval(more))
	// Output:
	// undefined [mem gpu] (&(mem>=8)(gpu=a100))
	// yes
}

func ExampleConstraint_Explain() {
	c, _ := property.ParseConstraint("(&(golem.runtime.name=vm)(|(mem>=16)(swap>=16)))")
	offer, _ := property.ParseSet(`{"golem.runtime.name":"vm","mem":8.0}`)
	fmt.Print(c.Explain(offer))
	// Output:
	// undefined all of: 1 of 2 conditions undecided
	//   yes       (golem.runtime.name=vm): golem.runtime.name is "vm", which is equal to vm
	//   undefined any of: 1 of 2 alternatives undecided, none met
	//     no        (mem>=16): mem is 8.0, not at least 16
	//     undefined (swap>=16): swap is not stated
}

func ExampleExplain() {
	demand, _ := property.ParseParty(`{"subnet":"public"}`, "(&(runtime=vm)(mem>=16))")
	offer, _ := property.ParseParty(`{"runtime":"vm","mem":8}`, "(&(subnet=public)(expiration>5))")
	for _, reason := range property.Explain(demand, offer).Reasons() {
		fmt.Println(reason)
	}
	// Output:
	// offer: mem is 8, not at least 16
	// demand: expiration is not stated
}

func ExampleConstraint_Equalities() {
	c, _ := property.ParseConstraint("(&(golem.runtime.name=vm)(golem.inf.mem.gib>=8)(golem.node.debug.subnet=public))")
	for name, text := range c.Equalities() {
		fmt.Println(name, text)
	}
	// Output:
	// golem.runtime.name vm
	// golem.node.debug.subnet public
}
