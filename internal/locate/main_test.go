package locate

import (
	"os"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

func TestMain(m *testing.M) { os.Exit(testprog.Main(m)) }
