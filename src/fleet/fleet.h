/*
 * fleet: apps and their versions. spec.h is what an app is to be (deploy.yaml).
 */
#pragma once

#include "fleet/spec.h"
