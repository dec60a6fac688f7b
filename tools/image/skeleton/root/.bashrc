# For interactive bash.
case $- in *i*) ;; *) return ;; esac
PS1='\u@\h:\w\$ '
HISTFILE=
alias ls='ls --color=auto'
alias ll='ls -l'
