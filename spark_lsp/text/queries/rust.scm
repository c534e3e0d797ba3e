; What a Rust file defines, imports and uses.

;; definitions
(function_item name: (identifier) @name body: (block) @body) @definition.function
(function_signature_item name: (identifier) @name) @definition.method
(struct_item name: (type_identifier) @name) @definition.class
(struct_item name: (type_identifier) @name body: (field_declaration_list) @body) @definition.class
(enum_item name: (type_identifier) @name body: (_) @body) @definition.enum
(union_item name: (type_identifier) @name body: (_) @body) @definition.class
(trait_item name: (type_identifier) @name body: (_) @body) @definition.interface
(impl_item type: (type_identifier) @name body: (declaration_list) @body) @container.type
(impl_item type: (generic_type type: (type_identifier) @name) body: (declaration_list) @body) @container.type
(mod_item name: (identifier) @name body: (declaration_list) @body) @container
(type_item name: (type_identifier) @name) @definition.type
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable
(field_declaration name: (field_identifier) @name) @definition.field
(macro_definition name: (identifier) @name) @definition.function

;; references
[(identifier) (field_identifier) (type_identifier)] @reference

;; imports
(use_declaration argument: (scoped_identifier path: (_) @import.module name: (identifier) @import.name))
(use_declaration argument: (scoped_use_list path: (_) @import.module list: (use_list (identifier) @import.name)))
(use_declaration argument: (use_as_clause path: (scoped_identifier path: (_) @import.module name: (identifier) @import.name)))
(use_declaration argument: (use_wildcard (_) @import.module))

;; scopes
(source_file) @scope
(function_item) @scope
(closure_expression) @scope
(block) @scope
(impl_item) @scope

;; comments
[(line_comment) (block_comment)] @comment
[(string_literal) (raw_string_literal) (char_literal)] @string
