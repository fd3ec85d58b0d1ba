# Compiles network with the Intel FPGA SDK for OpenCL 19.4. Not run by hlsgen: it needs the SDK and its licence.
#   make report      the early resource and loop report, minutes
#   make emulator    for the SDK's own emulator, seconds
#   make hardware    the bitstream, hours
AOC   ?= aoc
BOARD ?= pac_a10
FLAGS ?= -fp-relaxed -fpc
SOURCE = kernels/network.cl

report: bin/network.aocr
emulator: bin/network_emulator.aocx
hardware: bin/network.aocx

bin/network.aocr: $(SOURCE)
	mkdir -p bin
	$(AOC) -rtl -report -board=$(BOARD) $(FLAGS) $(SOURCE) -o $@

bin/network_emulator.aocx: $(SOURCE)
	mkdir -p bin
	$(AOC) -march=emulator $(SOURCE) -o $@

bin/network.aocx: $(SOURCE)
	mkdir -p bin
	$(AOC) -board=$(BOARD) $(FLAGS) $(SOURCE) -o $@

.PHONY: report emulator hardware
