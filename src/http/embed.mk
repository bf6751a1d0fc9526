# The files under web/ are put into the program by web_files.c (.incbin, paths from the top folder),
# which the compiler's dependency files do not see.
$(BUILD)/src/http/web_files.o: $(wildcard web/*.html web/openapi/*.yaml web/openapi/*.json \
	web/static/js/*.js web/static/css/*.css web/static/img/*.svg)
