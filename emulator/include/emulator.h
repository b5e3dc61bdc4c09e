// What stands in front of every kernel in the emulator.
#pragma once
#define EMULATED 1
#include "fibers.h"
#include "builtins.h"
#include "collectives.h"
#include "matrix.h"
