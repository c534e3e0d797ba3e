; What a Scala file defines, imports and uses.

;; definitions
(class_definition name: (_) @name) @definition.class
(class_definition name: (_) @name body: (template_body) @body) @definition.class
(trait_definition name: (_) @name) @definition.interface
(trait_definition name: (_) @name body: (template_body) @body) @definition.interface
(object_definition name: (_) @name) @definition.class
(object_definition name: (_) @name body: (template_body) @body) @definition.class
(package_object name: (_) @name body: (template_body) @body) @definition.class
(enum_definition name: (_) @name body: (_) @body) @definition.enum
(simple_enum_case name: (_) @name) @definition.constant
(full_enum_case name: (_) @name) @definition.constant
(class_definition class_parameters: (class_parameters (class_parameter name: (_) @name) @definition.field))
(function_definition name: (_) @name body: (_) @body) @definition.function
(function_declaration name: (_) @name) @definition.function
(type_definition name: (_) @name) @definition.type
(given_definition name: (_) @name) @definition.variable
(compilation_unit (val_definition pattern: (identifier) @name) @definition.variable)
(compilation_unit (var_definition pattern: (identifier) @name) @definition.variable)
(template_body (val_definition pattern: (identifier) @name) @definition.field)
(template_body (var_definition pattern: (identifier) @name) @definition.field)
(val_declaration name: (identifier) @name) @definition.field
(var_declaration name: (identifier) @name) @definition.field
((val_definition pattern: (identifier) @name) @definition.constant (#match? @name "^[A-Z][A-Z0-9_]+$"))

;; references
[(identifier) (type_identifier)] @reference

;; imports
(import_declaration . (identifier) @import.from)
(import_declaration . (identifier) @import.from (identifier) @import.to)
(import_declaration . (identifier) @import.from (namespace_selectors (identifier) @import.name))
(import_declaration . (identifier) @import.from
  (namespace_selectors (arrow_renamed_identifier name: (_) @import.name)))
(import_declaration . (identifier) @import.from
  (namespace_selectors (as_renamed_identifier name: (_) @import.name)))

;; scopes
(compilation_unit) @scope
(class_definition) @scope
(object_definition) @scope
(function_definition) @scope
(lambda_expression) @scope
(block) @scope

;; comments
[(comment) (block_comment)] @comment
[(string) (interpolated_string) (character_literal)] @string
(interpolation) @code
