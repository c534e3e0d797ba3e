;;; spark-lsp-next-edit.el --- The edit that follows from the last one  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT
;; Package-Requires: ((emacs "29.1"))

;;; Commentary:

;; Shows the next edit through eglot: the text that goes is struck, the new text stands behind it.
;;
;;   (require 'spark-lsp-next-edit)
;;   (add-hook 'eglot-managed-mode-hook #'spark-lsp-next-edit-mode)
;;
;; Tab goes to the edit, and makes it when point is in its line; C-g dismisses it.  Both keys are bound only while an
;; edit is shown.

;;; Code:

(require 'eglot)

(defface spark-lsp-edit-old '((t :inherit diff-removed :strike-through t)) "Text that an edit removes.")
(defface spark-lsp-edit-new '((t :inherit diff-added)) "Text that an edit adds.")

(defcustom spark-lsp-next-edit-delay 0.1
  "Seconds without typing after which the next edit is asked for."
  :type 'number
  :group 'spark-lsp)

(defvar-local spark-lsp--edit nil "The edit that is shown, as the server sent it.")
(defvar-local spark-lsp--overlay nil)
(defvar-local spark-lsp--timer nil)

(defvar spark-lsp--next-edit-keys
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "TAB") #'spark-lsp-accept-next-edit)
    (define-key map (kbd "<tab>") #'spark-lsp-accept-next-edit)
    (define-key map (kbd "C-g") #'spark-lsp-dismiss-next-edit)
    map)
  "The keys of an edit that is shown.")
(push (cons 'spark-lsp--edit spark-lsp--next-edit-keys) minor-mode-map-alist)

(defun spark-lsp--hide-edit (&rest _)
  "Take the edit off the screen, and give the keys back."
  (setq spark-lsp--edit nil)
  (when (overlayp spark-lsp--overlay) (delete-overlay spark-lsp--overlay)))

(defun spark-lsp--edit-uri (edit)
  "Return the document of EDIT."
  (plist-get (plist-get edit :textDocument) :uri))

(defun spark-lsp--own-uri ()
  "Return this buffer's document as eglot names it."
  (plist-get (eglot--TextDocumentIdentifier) :uri))

(defun spark-lsp--show-edit (edit)
  "Show EDIT: in its place, or as a message when that is in another file."
  (setq spark-lsp--edit edit)
  (let ((title (plist-get (plist-get edit :command) :title)))
    (if (not (equal (spark-lsp--edit-uri edit) (spark-lsp--own-uri)))
        (message "Next edit in %s: %s" (file-name-nondirectory (spark-lsp--edit-uri edit)) title)
      (pcase-let ((`(,start . ,end) (spark-lsp--region edit)))
        (setq spark-lsp--overlay (make-overlay start end))
        (overlay-put spark-lsp--overlay 'face 'spark-lsp-edit-old)
        (overlay-put spark-lsp--overlay 'after-string (propertize (plist-get edit :text) 'face 'spark-lsp-edit-new))
        (unless (<= (pos-bol) start (pos-eol))
          (message "Next edit in line %d: %s" (line-number-at-pos start) title))))))

(defun spark-lsp--region (edit)
  "Return the start and end of EDIT in its buffer."
  (if (fboundp 'eglot-range-region)
      (eglot-range-region (plist-get edit :range))
    (eglot--range-region (plist-get edit :range))))

(defun spark-lsp-next-edit ()
  "Ask for the edit that follows from the last one, and show it."
  (interactive)
  (when-let ((server (eglot-current-server)))
    (eglot--signal-textDocument/didChange)
    (let ((buffer (current-buffer)) (tick (buffer-chars-modified-tick)))
      (jsonrpc-async-request
       server :textDocument/copilotInlineEdit
       (list :textDocument (eglot--VersionedTextDocumentIdentifier)
             :position (plist-get (eglot--TextDocumentPositionParams) :position))
       :error-fn #'ignore
       :success-fn
       (lambda (answer)
         (when (and (buffer-live-p buffer) (= tick (buffer-chars-modified-tick buffer)))
           (with-current-buffer buffer
             (spark-lsp--hide-edit)
             (when-let ((edit (seq-first (plist-get answer :edits))))
               (spark-lsp--show-edit edit)
               (jsonrpc-notify server :textDocument/didShowInlineEdit (list :item edit))))))))))

(defun spark-lsp-accept-next-edit ()
  "Go to the edit that is shown, or make it when point is in its line."
  (interactive)
  (let ((edit spark-lsp--edit))
    (cond
     ((not edit) (user-error "No next edit is shown"))
     ((not (equal (spark-lsp--edit-uri edit) (spark-lsp--own-uri)))
      (spark-lsp--hide-edit)
      (push-mark nil t)
      (find-file (eglot-uri-to-path (spark-lsp--edit-uri edit)))
      (goto-char (car (spark-lsp--region edit)))
      (spark-lsp--show-edit edit))
     (t
      (pcase-let ((`(,start . ,end) (spark-lsp--region edit)))
        (if (not (<= (pos-bol) start (pos-eol)))
            (progn (push-mark nil t) (goto-char start))
          (spark-lsp--hide-edit)
          (goto-char start)
          (delete-region start end)
          (insert (plist-get edit :text))
          (eglot--signal-textDocument/didChange)
          (jsonrpc-async-request (eglot-current-server) :workspace/executeCommand
                                 (let ((command (plist-get edit :command)))
                                   (list :command (plist-get command :command) :arguments (plist-get command :arguments)))
                                 :success-fn #'ignore :error-fn #'ignore)
          (spark-lsp-next-edit)))))))

(defun spark-lsp-dismiss-next-edit ()
  "Take the edit away; the server does not offer its change again."
  (interactive)
  (when-let ((edit spark-lsp--edit))
    (spark-lsp--hide-edit)
    (jsonrpc-notify (eglot-current-server) :textDocument/didDismissInlineEdit (list :item edit))))

(defun spark-lsp--edit-soon (&rest _)
  "Hide the edit, whose text has changed, and ask for one when the user pauses; never after an undo."
  (spark-lsp--hide-edit)
  (when (timerp spark-lsp--timer) (cancel-timer spark-lsp--timer))
  (unless undo-in-progress
    (let ((buffer (current-buffer)))
      (setq spark-lsp--timer
            (run-with-idle-timer spark-lsp-next-edit-delay nil
                                 (lambda ()
                                   (when (buffer-live-p buffer)
                                     (with-current-buffer buffer (spark-lsp-next-edit)))))))))

;;;###autoload
(define-minor-mode spark-lsp-next-edit-mode
  "Show the edit that follows from the last one."
  :lighter nil
  (if spark-lsp-next-edit-mode
      (add-hook 'after-change-functions #'spark-lsp--edit-soon nil t)
    (remove-hook 'after-change-functions #'spark-lsp--edit-soon t)
    (spark-lsp--hide-edit)))

(provide 'spark-lsp-next-edit)
;;; spark-lsp-next-edit.el ends here
