"""Tests of conformance with RFC 6455: a fuzzing client against an echo server built from signald's protocol class."""
