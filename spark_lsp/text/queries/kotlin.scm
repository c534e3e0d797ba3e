; What a Kotlin file defines, imports and uses.

;; definitions
(class_declaration name: (identifier) @name) @definition.class
(class_declaration name: (identifier) @name (class_body) @body) @definition.class
(class_declaration "interface" name: (identifier) @name) @definition.interface
(class_declaration name: (identifier) @name (enum_class_body) @body) @definition.enum
(object_declaration name: (identifier) @name) @definition.class
(object_declaration name: (identifier) @name (class_body) @body) @definition.class
(function_declaration name: (identifier) @name) @definition.function
(function_declaration name: (identifier) @name (function_body) @body) @definition.function
(function_declaration (user_type (identifier) @owner) . name: (identifier) @name) @definition.function
(source_file (property_declaration (variable_declaration (identifier) @name)) @definition.variable)
(class_body (property_declaration (variable_declaration (identifier) @name)) @definition.field)
(enum_class_body (property_declaration (variable_declaration (identifier) @name)) @definition.field)
((property_declaration (modifiers (property_modifier) @modifier) (variable_declaration (identifier) @name))
  @definition.constant (#eq? @modifier "const"))
(class_parameter ["val" "var"] . (identifier) @name) @definition.field
(type_alias type: (identifier) @name) @definition.type
(enum_entry (identifier) @name) @definition.constant

;; references
(identifier) @reference

;; imports
(import (qualified_identifier (identifier) @import.name .) @import.module)
(import (qualified_identifier) @import.module)

;; scopes
(source_file) @scope
(class_declaration) @scope
(function_declaration) @scope
(lambda_literal) @scope
(block) @scope

;; comments
[(line_comment) (block_comment)] @comment
[(string_literal) (multiline_string_literal) (character_literal)] @string
(interpolation) @code
