"""Conformance with RFC 6455, judged by a fuzzing client against an echo built from signald's own protocol class."""
