# The files under web/ are put into the program by web_files.c (.incbin, paths from the top folder),
# which the compiler's dependency files do not see. So are the documents, made into pages.
GUIDE_PAGES := $(patsubst docs/%.md,$(BUILD)/web/docs/%.html,$(wildcard docs/*.md)) \
	$(patsubst docs/%,$(BUILD)/web/docs/%,$(wildcard docs/pictures/*.svg))

$(BUILD)/web/docs/%.html: docs/%.md web/guide.html tools/make_guide
	@mkdir -p $(@D)
	$(Q)tools/make_guide $< web/guide.html > $@.part && mv $@.part $@

# Its links lead to the pages of the server.
$(BUILD)/web/llms.txt: llms.txt
	@mkdir -p $(@D)
	$(Q)sed -E 's#\((docs/[a-z]+)\.md\)#(/\1)#; s#\(web/openapi/#(/openapi/#' $< > $@

$(BUILD)/web/docs/pictures/%.svg: docs/pictures/%.svg
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(BUILD)/src/http/web_files.o: LIBRARY_CFLAGS := -Wa,-I$(BUILD)
$(BUILD)/src/http/web_files.o: $(GUIDE_PAGES) $(BUILD)/web/llms.txt $(wildcard web/*.html web/openapi/*.yaml web/openapi/*.json \
	web/static/js/*.js web/static/css/*.css web/static/img/*.svg)
