#!/bin/sh
exec java -jar /usr/share/greeter/greeter.jar "$@"
