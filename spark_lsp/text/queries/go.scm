; What a Go file defines, imports and uses.

;; definitions
(function_declaration name: (identifier) @name body: (block) @body) @definition.function
(method_declaration name: (field_identifier) @name body: (block) @body) @definition.method
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @owner
    (pointer_type (type_identifier) @owner)
    (pointer_type (generic_type type: (type_identifier) @owner))
    (generic_type type: (type_identifier) @owner)]))
  name: (field_identifier) @name body: (block) @body) @definition.method
(type_declaration (type_spec name: (type_identifier) @name)) @definition.type
(type_declaration (type_spec name: (type_identifier) @name type: (struct_type (field_declaration_list) @body))) @definition.class
(type_declaration (type_spec name: (type_identifier) @name type: (interface_type))) @definition.interface
(type_declaration (type_alias name: (type_identifier) @name)) @definition.type
(field_declaration name: (field_identifier) @name) @definition.field
(interface_type (method_elem name: (field_identifier) @name) @definition.method)
(source_file (const_declaration (const_spec (identifier) @name) @definition.constant))
(source_file (var_declaration (var_spec (identifier) @name) @definition.variable))
(source_file (var_declaration (var_spec_list (var_spec (identifier) @name) @definition.variable)))

;; references
[(identifier) (field_identifier) (type_identifier)] @reference

;; imports
(import_spec path: (interpreted_string_literal (interpreted_string_literal_content) @import.module))

;; scopes
(source_file) @scope
(function_declaration) @scope
(method_declaration) @scope
(func_literal) @scope
(block) @scope

;; comments
(comment) @comment
[(interpreted_string_literal) (raw_string_literal) (rune_literal)] @string
