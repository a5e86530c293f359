package exeunit

import "os"

// nonBlock does nothing here: there are no named pipes in directories.
const nonBlock = 0

// tryLock does not lock here. Two supervisors may then download the same image;
// either result is right.
func tryLock(*os.File) (bool, error) { return true, nil }
