; What a Swift file defines, imports and uses.

;; definitions
(class_declaration name: (type_identifier) @name body: (class_body) @body) @definition.class
(class_declaration name: (type_identifier) @name body: (enum_class_body) @body) @definition.enum
(class_declaration "extension" name: (user_type (type_identifier) @name .) body: (class_body) @body) @container.type
(protocol_declaration name: (type_identifier) @name body: (_) @body) @definition.interface
(typealias_declaration "typealias" . name: (type_identifier) @name) @definition.type
(associatedtype_declaration name: (type_identifier) @name) @definition.type
(function_declaration name: (simple_identifier) @name) @definition.function
(function_declaration name: (simple_identifier) @name body: (function_body) @body) @definition.function
(protocol_function_declaration name: (simple_identifier) @name) @definition.method
(init_declaration "init" @name body: (function_body) @body) @definition.method
(source_file (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.variable)
(class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.field)
(enum_class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.field)
(class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @name)
  computed_value: (computed_property) @body) @definition.field)
(protocol_property_declaration name: (pattern bound_identifier: (simple_identifier) @name)) @definition.field
(enum_entry name: (simple_identifier) @name) @definition.constant

;; references
[(simple_identifier) (type_identifier)] @reference

;; imports
(import_declaration (identifier) @import.module)

;; scopes
(source_file) @scope
(class_declaration) @scope
(function_declaration) @scope
(init_declaration) @scope
(lambda_literal) @scope
(statements) @scope

;; comments
[(comment) (multiline_comment)] @comment
[(line_string_literal) (multi_line_string_literal) (raw_string_literal) (regex_literal)] @string
(interpolated_expression) @code
