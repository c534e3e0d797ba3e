; What a JavaScript or JSX file defines, imports and uses beside what TypeScript has too.
; inherits: ecmascript

;; definitions
(class_declaration name: (identifier) @name body: (class_body) @body) @definition.class
(export_statement (class_declaration name: (identifier) @name body: (_) @body)) @definition.class
(field_definition property: [(property_identifier) (private_property_identifier)] @name) @definition.field

;; comments
(jsx_text) @string
