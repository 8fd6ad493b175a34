#pragma once
#include "tests/lab/registry.hpp"
