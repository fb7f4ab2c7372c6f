/* Private to fleet/: the labels by which the Swarm's things are known as ours. */
#pragma once

#define LABEL_APP "maya.app"         /* of a service, a config: the app's name */
#define LABEL_VERSION "maya.version" /* "7" */
#define LABEL_SECRET "maya.secret"   /* of a secret: the name people gave it */
#define LABEL_KEYS "maya.keys"       /* of a secret: "A,B", the names of its values */
