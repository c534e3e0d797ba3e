;;; spark-lsp.el --- Code completion by a model on your own machine  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT
;; Package-Requires: ((emacs "28.1"))

;;; Commentary:

;; Registers the server with lsp-mode and eglot.  lsp-mode 10 shows ghost text and runs several servers for a file;
;; eglot has no ghost text and one server for each mode, so it offers code actions and completion items.
;;
;;   (add-to-list 'load-path "~/spark-lsp/editors/emacs")
;;   (require 'spark-lsp)
;;   (add-hook 'prog-mode-hook #'lsp-deferred)               ; lsp-mode
;;   (add-hook 'prog-mode-hook #'spark-lsp-inline-mode)
;;
;;   (spark-lsp-setup-eglot '(python-mode python-ts-mode))   ; eglot

;;; Code:

(defgroup spark-lsp nil
  "Code completion by a model on your own machine."
  :group 'tools)

(defcustom spark-lsp-command '("spark-lsp" "serve" "--stdio")
  "Command that starts the server."
  :type '(repeat string))

(defcustom spark-lsp-settings nil
  "Settings of the server as a nested plist, for example (:completion (:maxLines 3))."
  :type 'plist)

(declare-function lsp-register-client "lsp-mode")
(declare-function make-lsp-client "lsp-mode")
(declare-function lsp-stdio-connection "lsp-mode")
(declare-function lsp-inline-completion-mode "lsp-inline-completion")
(defvar lsp-language-id-configuration)
(defvar lsp-client-packages)
(defvar eglot-server-programs)

(defvar spark-lsp-status ""
  "The server's last status, for a mode line: (:eval spark-lsp-status).")

(defun spark-lsp--status (_workspace status)
  "Keep STATUS, the parameters of spark/status."
  (let ((field (lambda (name)
                 (if (hash-table-p status) (gethash name status) (plist-get status (intern (concat ":" name)))))))
    (setq spark-lsp-status
          (format "Spark%s %s" (if (eq t (funcall field "busy")) "…" "") (or (funcall field "message") "")))
    (force-mode-line-update t)))

(defun spark-lsp--register ()
  "Register the server with lsp-mode, beside other servers of a file."
  (lsp-register-client
   (make-lsp-client
    :new-connection (lsp-stdio-connection (lambda () spark-lsp-command))
    :activation-fn (lambda (file &rest _) (and file (derived-mode-p 'prog-mode 'text-mode)))
    :server-id 'spark
    :add-on? t
    :priority -1
    :notification-handlers (let ((handlers (make-hash-table :test 'equal)))
                             (puthash "spark/status" #'spark-lsp--status handlers)
                             handlers)
    :initialization-options (lambda () (or spark-lsp-settings (make-hash-table))))))

(with-eval-after-load 'lsp-mode
  (spark-lsp--register))

;;;###autoload
(define-minor-mode spark-lsp-inline-mode
  "Show suggestions as ghost text, through lsp-mode 10 or newer."
  :lighter " Spark"
  (when (require 'lsp-inline-completion nil t)
    (lsp-inline-completion-mode (if spark-lsp-inline-mode 1 -1))))

;;;###autoload
(defun spark-lsp-setup-eglot (modes)
  "Let eglot start the server for MODES, a mode or a list of them."
  (with-eval-after-load 'eglot
    (add-to-list
     'eglot-server-programs
     (cons modes
           (lambda (&rest _)
             (append spark-lsp-command
                     (list :initializationOptions (or spark-lsp-settings (make-hash-table)))))))))

(provide 'spark-lsp)
;;; spark-lsp.el ends here
