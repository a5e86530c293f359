package main

import "github.com/spf13/cobra"

// commands is the whole command line, in the order of the help.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(), a.devnetCommand(), a.runCommand(),
		a.nodeCommand(), a.providerCommand(), a.hubCommand(),
		a.statusCommand(), a.offersCommand(), a.agreementCommand(), a.paymentCommand(),
		a.idCommand(), a.appKeyCommand(), a.versionCommand(),
	}
}
