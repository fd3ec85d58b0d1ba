# Compiles network with the Intel FPGA SDK for OpenCL 19.4. Not run by hlsgen: it needs the SDK and its licence.
#   make report      the early resource and loop report, minutes
#   make emulator    for the SDK's own emulator, seconds
#   make hardware    the bitstream, hours
AOC   ?= aoc
BOARD ?= pac_a10
FLAGS ?= 
SOURCE = kernels/network.cl
# Each value is one word to the shell, whatever it holds.
quoted = '$(subst ','\'',$(1))'

report: bin/network.aocr
emulator: bin/network_emulator.aocx
hardware: bin/network.aocx

bin/network.aocr: $(SOURCE) Makefile
	mkdir -p bin
	$(call quoted,$(AOC)) -rtl -report -board=$(call quoted,$(BOARD)) $(FLAGS) $(SOURCE) -o $@

bin/network_emulator.aocx: $(SOURCE) Makefile
	mkdir -p bin
	$(call quoted,$(AOC)) -march=emulator $(SOURCE) -o $@

bin/network.aocx: $(SOURCE) Makefile
	mkdir -p bin
	$(call quoted,$(AOC)) -board=$(call quoted,$(BOARD)) $(FLAGS) $(SOURCE) -o $@
	sha256sum $(SOURCE) Makefile > $@.sources

.PHONY: report emulator hardware
# What a failed compile leaves is no result.
.DELETE_ON_ERROR:
