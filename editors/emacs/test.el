;;; The main way through Emacs's dap-mode, in batch, on a process whose own clock
;;; proves that it ran on.  -*- lexical-binding: t -*-
;;;
;;; emacs --batch -l editors/emacs/test.el, with SIDELIGHT and TARGET, the two
;;; programs, in the environment.  .ci/editors runs it.

(require 'package)
(package-initialize)
(setq dap-auto-configure-features nil
      dap-auto-show-output nil
      dap-utils-extension-path "/nonexistent/"
      dap-breakpoints-file (make-temp-file "sidelight-breakpoints"))
(require 'dap-mode)

(defvar test-folder (file-name-directory (or load-file-name buffer-file-name)))
(defvar test-source (file-truename (expand-file-name "../testdata/target/main.go" test-folder)))
(defvar test-stops 0)

(defun test-until (what holds)
  "Wait until HOLDS, which is named WHAT, and give its value."
  (let ((end (+ (float-time) 30)) value)
    (while (not (setq value (funcall holds)))
      (when (> (float-time) end) (error "It never came that %s" what))
      (accept-process-output nil 0.05))
    value))

(defun test-ask (session command arguments)
  "Send a request and give the body of its answer."
  (let (answer)
    (dap--send-message (dap--make-request command arguments)
                       (lambda (a) (setq answer a)) session)
    (test-until (concat "an answer to " command) (lambda () answer))
    (unless (gethash "success" answer) (error "%s: %s" command (gethash "message" answer)))
    (gethash "body" answer)))

(defun test-line (text)
  "Go to the line with TEXT."
  (goto-char (point-min))
  (search-forward text)
  (beginning-of-line)
  (line-number-at-pos))

;; The process to look into, and its clock.
(defvar test-output "")
(defvar test-target
  (make-process :name "target" :command (list (getenv "TARGET")) :connection-type 'pipe :noquery t
                :stderr (get-buffer-create " *orders*")
                :filter (lambda (_ text) (setq test-output (concat test-output text)))))
(test-until "the target runs" (lambda () (string-match-p "^open " test-output)))

(defun test-gap ()
  "Ticks of the target's clock, and the longest pause in milliseconds."
  (setq test-output "")
  (process-send-string test-target "gap\n")
  (test-until "the clock answers" (lambda () (string-match "ticks \\([0-9]+\\) longest \\([0-9]+\\)\n" test-output)))
  (cons (string-to-number (match-string 1 test-output))
        (/ (string-to-number (match-string 2 test-output)) 1000.0)))

(dap-register-debug-provider
 "sidelight"
 (lambda (conf)
   (plist-put conf :dap-server-path (list (getenv "SIDELIGHT") "dap"))
   conf))
(add-hook 'dap-stopped-hook (lambda (_) (cl-incf test-stops)))

(find-file test-source)
;; A logpoint and a breakpoint, before there is a session.
(test-line "revenue += total")
(dap-breakpoint-add)
(plist-put (dap--get-breakpoint-at-point) :log-message "order {o.ID} total {total}")
(test-line "for order")
(dap-breakpoint-add)

(dap-debug (list :type "sidelight" :request "attach" :name "Sidelight" :target (process-id test-target)))
(let* ((session (test-until "there is a session" #'dap--cur-session))
       (shown (lambda () (with-current-buffer (dap--debug-session-output-buffer session) (buffer-string)))))
  (test-until "messages come" (lambda () (string-match-p "order [0-9]+ total [0-9]+" (funcall shown))))
  (test-until "a snapshot is shown" (lambda () (> test-stops 0)))
  (test-gap)
  (let* ((thread (test-until "a thread is chosen" (lambda () (dap--debug-session-thread-id session))))
         (stack (gethash "stackFrames" (test-ask session "stackTrace" (list :threadId thread))))
         (frame (gethash "id" (elt stack 0)))
         (before (length (funcall shown))))
    (unless (equal (gethash "name" (elt stack 0)) "main.record") (error "The stack is %S" stack))
    (let ((result (gethash "result" (test-ask session "evaluate" (list :expression "o.Items[1].SKU" :frameId frame :context "repl")))))
      (unless (equal result "\"croissant\"") (error "o.Items[1].SKU is %s" result)))
    ;; While Emacs shows a stop, messages come and the clock ticks.
    (sleep-for 1)
    (test-until "messages go on" (lambda () (> (length (funcall shown)) before)))
    (let ((gap (test-gap)))
      (message "the process's longest gap while a snapshot was shown: %s ms in %s ticks" (cdr gap) (car gap))
      (unless (and (> (car gap) 300) (< (cdr gap) 700)) (error "The process stood: %S" gap)))
    (dap-continue session thread)
    (test-until "the next snapshot is shown" (lambda () (> test-stops 1))))
  (dap-disconnect session)
  (test-until "the adapter has ended" (lambda () (not (process-live-p (dap--debug-session-proc session))))))
(delete-process test-target)
(message "1 passed, 0 failed")
